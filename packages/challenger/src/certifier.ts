import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type Certifiable,
  type CertifyAnswer,
  decodeCertifyRequest,
  encodeCertifyAnswer,
  equalBytes,
  type Params,
  toHex,
} from '@kedge/core'
import type { BatchData, NodeOptions } from '@kedge/node'

export interface CertifierParts {
  readonly params: Params
  readonly network: Uint8Array
  readonly data: BatchData
  readonly log: Pick<NodeOptions['log'], 'info'>
  /** Of the last final batch, and of the newest link. */
  readonly numbers: () => { readonly final: number; readonly link: number }
  /** One of the network's watchers'. */
  readonly secret: Uint8Array
}

/** Anchors that may wait for a block, and some. */
const AHEAD = 32

/** A sequencer that crashes while it asks may come back with another batch: no more often than this in a watcher's run. */
const HEADERS_A_NUMBER = 4

/** Until a request's data must be here: whoever asks waits no longer. */
const FETCH_MS = 8_000

/**
 * Vouches for data with this watcher's key. Order of effects: the header's operations and step roots are on disk, proven
 * against it, then it signs. It vouches for nothing but that it has them: what they say, it checks when they are anchored,
 * like anybody. One request at a time: each may be some 16 MB.
 */
export class Certifier {
  private readonly parts: CertifierParts
  private readonly place: number
  private turn: Promise<unknown> = Promise.resolve()
  /** Hashes of headers by their numbers: what a sequencer can make this disk hold is bounded by them. */
  private readonly asked = new Map<number, Set<string>>()

  constructor(parts: CertifierParts) {
    this.parts = parts
    const key = publicKeyOf(parts.secret)
    this.place = parts.params.keys.watchers.findIndex((watcher) => equalBytes(watcher, key))
  }

  async answer(request: Uint8Array): Promise<Uint8Array> {
    const { params, network, log } = this.parts
    const asked = decodeCertifyRequest(params, network, request)
    if (asked === undefined) return encodeCertifyAnswer('stranger')
    const work = () => this.judge(asked)
    const done = this.turn.then(work, work)
    this.turn = done
    const answer = await done
    const { number, opCount } = asked.header
    const refusal = typeof answer === 'string' ? answer : undefined
    const told = { number, operations: opCount, ...(refusal && { refusal }) }
    log.info(told, refusal === undefined ? 'vouched for a batch' : 'did not vouch for a batch')
    return encodeCertifyAnswer(answer)
  }

  private async judge({ header, hash, message }: Certifiable): Promise<CertifyAnswer> {
    const { data, secret } = this.parts
    if (!this.admits(header.number, hash)) return 'number'
    const signal = AbortSignal.timeout(FETCH_MS)
    try {
      const isHeld = await data.hold(hash, signal)
      return isHeld ? { place: this.place, signature: signHash(message, secret) } : 'missing'
    } catch (error) {
      if (signal.aborted) return 'missing'
      throw error
    }
  }

  private admits(number: number, hash: Uint8Array): boolean {
    const { final, link } = this.parts.numbers()
    for (const old of this.asked.keys()) if (old <= final) this.asked.delete(old)
    const hashes = this.asked.get(number) ?? new Set()
    if (number <= final || number > link + AHEAD) return false
    if (!hashes.has(toHex(hash)) && hashes.size === HEADERS_A_NUMBER) return false
    this.asked.set(number, hashes.add(toHex(hash)))
    return true
  }
}
