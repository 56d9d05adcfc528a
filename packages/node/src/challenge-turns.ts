import { estimateFeeRate, type Rpc } from '@kedge/bitcoin'
import { ESTIMATE_BLOCKS } from '@kedge/commitment'
import { concatBytes, type DataKind, encodeMessage, type Params, sha256, toHex } from '@kedge/core'
import { FALLBACK_FEE_RATE } from './options.ts'
import { WaitingChallenges } from './waiting-challenges.ts'

/** Blocks over which those who would raise the same challenge are spread, and time among those of one block, ms. */
const MOST_TURNS = 6
const SPREAD_MS = 5_000

/** The heights from which, and below which, a challenge may be sent. */
export interface ChallengeTime {
  readonly from: number
  readonly limit: number
}

/**
 * One challenge is enough, whoever raises it, and a second one burns its payment for nothing. So nodes take turns, in an
 * order that each batch decides anew, and whoever sees another's challenge wait that pays what blocks ask for waits too.
 * It is no more than a courtesy: what waits may be withdrawn, so in the second half of the time everybody raises what
 * Bitcoin does not hold.
 */
export class ChallengeTurns {
  private readonly rpc: Rpc
  /** Of this node's coins: what sets it apart from other challengers. */
  private readonly script: Uint8Array
  private readonly waiting: WaitingChallenges
  /** When this node's turn came, ms of `performance.now`, by payload as hex. Those raised are out. */
  private readonly since = new Map<string, number>()
  private readonly raised = new Set<string>()

  constructor(rpc: Rpc, params: Params, script: Uint8Array) {
    this.rpc = rpc
    this.script = script
    this.waiting = new WaitingChallenges(rpc, params)
  }

  /** Whether to raise it now: once it says so, it stays so. */
  async isDue(
    headerHash: Uint8Array,
    data: DataKind,
    { from, limit }: ChallengeTime,
    height: number,
  ): Promise<boolean> {
    const payload = encodeMessage({ kind: 'challenge', headerHash, data })
    const name = toHex(payload)
    const courtesy = Math.floor((limit - from) / 2)
    if (height >= from + courtesy || this.raised.has(name)) return this.raise(name)
    const place = new DataView(sha256(concatBytes(this.script, payload)).buffer).getUint32(0)
    if (height < from + (place % Math.min(MOST_TURNS, courtesy))) return false
    const now = performance.now()
    const since = this.since.get(name) ?? now
    this.since.set(name, since)
    if (now - since < place % SPREAD_MS || (await this.isRaised(payload))) return false
    return this.raise(name)
  }

  private raise(name: string): true {
    this.since.delete(name)
    this.raised.add(name)
    return true
  }

  private async isRaised(payload: Uint8Array): Promise<boolean> {
    const rate = await this.waiting.rateOf(payload)
    return rate !== undefined && rate >= (await estimateFeeRate(this.rpc, ESTIMATE_BLOCKS, FALLBACK_FEE_RATE))
  }
}
