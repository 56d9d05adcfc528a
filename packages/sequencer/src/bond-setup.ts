import { setTimeout } from 'node:timers/promises'
import { type Built, type CoinKey, type Rpc, type Sent, sendTransaction } from '@kedge/bitcoin'
import {
  type BondRecord,
  completeReturn,
  type LeaderEffect,
  type LeaderState,
  type LeaderStep,
  openSession,
  readCosignerMessage,
  signLeaderMessage,
  stepLeader,
  type XOnlyKey,
} from '@kedge/bond'
import { networkId, type Params, toHex } from '@kedge/core'
import type { Store } from '@kedge/storage'
import { type BondSetup, buildShowing, putSetup, readSetupStage } from './bond-plan.ts'

/** The operator's side of signing a bond with all watchers. It survives the end of any process, this one's included. */
export interface CosignParts {
  readonly store: Store
  readonly params: Params
  /** The sequencer's share of the bond's key. */
  readonly key: XOnlyKey
  /** Sends a message to all watchers that are connected, and gives their answers. */
  readonly ask: (message: Uint8Array, signal: AbortSignal) => Promise<readonly Uint8Array[]>
  /** 32 bytes that never come again. */
  readonly random: () => Uint8Array
  /** Told of what keeps it waiting. */
  readonly note: (text: string) => void
}

/** Between two sessions, when somebody is missing. */
const PAUSE_MS = 1_000

/**
 * Signs both ways out, session after session, until every signature is on disk. What was signed stays signed: a session
 * that got stuck, on whatever side, is opened anew with fresh nonces.
 * @throws BondRefusedError when a watcher will not sign these terms, or the signal's reason
 */
export async function cosignBond(parts: CosignParts, setup: BondSetup, signal: AbortSignal): Promise<BondSetup> {
  for (let { record } = setup; ; ) {
    const session = new Session(parts, setup.funding, record)
    const done = await session.run(signal)
    if (done) return { ...setup, record: session.record }
    record = session.record
    parts.note(session.describe())
    await setTimeout(PAUSE_MS, undefined, { signal })
  }
}

/** From one opening to its end, or until nobody has anything to say. */
class Session {
  record: BondRecord
  private readonly parts: CosignParts
  private readonly funding: Uint8Array
  private readonly heard = new Set<string>()
  private readonly blamed: string[] = []
  private state: LeaderState
  private effects: LeaderEffect[] = []

  constructor(parts: CosignParts, funding: Uint8Array, record: BondRecord) {
    this.parts = parts
    this.funding = funding
    this.record = record
    this.state = { record, session: undefined }
  }

  async run(signal: AbortSignal): Promise<boolean> {
    const { key, random } = this.parts
    this.absorb(openSession(key, this.state, random()))
    for (let effect = this.effects.shift(); effect !== undefined; effect = this.effects.shift()) {
      if (effect.do === 'ready') return true
      if (effect.do === 'blame') this.blame(effect.reason)
      if (effect.do === 'persist') await this.persist(effect.record)
      if (effect.do === 'send') await this.send(effect.message, signal)
    }
    return false
  }

  private absorb({ state, effects }: LeaderStep): void {
    this.state = state
    this.effects.push(...effects)
  }

  private async persist(record: BondRecord): Promise<void> {
    await this.parts.store.commit([putSetup({ record, funding: this.funding })])
    this.record = record
  }

  private async send(message: Parameters<typeof signLeaderMessage>[2], signal: AbortSignal): Promise<void> {
    const { key, params, ask, random } = this.parts
    const network = networkId(params)
    for (const bytes of await ask(signLeaderMessage(key, network, message), signal)) {
      const answer = readCosignerMessage(params.keys.watchers, network, bytes)
      if (answer === undefined) continue
      this.heard.add(toHex(answer.from))
      this.absorb(stepLeader(key, this.state, answer.from, answer.message, random()))
    }
  }

  /** Terms that are refused are refused again; everything else may pass with a new session. */
  private blame(reason: string): void {
    if (/^[0-9a-f]{64}: (terms|conflict): /.test(reason)) throw new BondRefusedError(reason)
    this.blamed.push(reason)
  }

  describe(): string {
    const missing = this.parts.params.keys.watchers.map(toHex).filter((key) => !this.heard.has(key))
    const silent = missing.length === 0 ? [] : [`not heard of ${missing.map((key) => key.slice(0, 8)).join(', ')}`]
    return [...silent, ...this.blamed].join('; ') || 'a session came to nothing'
  }
}

/** What is sent to Bitcoin once everything is signed: B and D, then the signature that lets everybody slash. */
export interface FundingParts {
  readonly rpc: Rpc
  readonly params: Params
  readonly key: CoinKey
  /** sat/vB. */
  readonly feeRate: number
}

/**
 * Sends what is not there yet; the same again is harmless. The signature for the slash follows at once, so that nobody
 * depends on the operator to be able to slash it.
 * @throws BondSendError
 */
export async function fundBond({ rpc, params, key, feeRate }: FundingParts, setup: BondSetup): Promise<void> {
  if (setup.record.returned === undefined) throw new Error('a bond is funded only once both ways out are signed')
  refuse('funding', await sendTransaction(rpc, setup.funding, 0n))
  if ((await readSetupStage(rpc, setup)) !== 'funded') return
  refuse("slash's signature", await sendTransaction(rpc, buildShowing(params, key, setup, feeRate).raw, 0n))
}

function refuse(what: string, sent: Sent): void {
  if (!sent.ok && sent.reason !== 'mined') throw new BondSendError(what, sent.detail)
}

/** Takes a bond back. Bitcoin decides whether it is time. @throws Error where the return was never signed */
export async function returnBond(
  rpc: Rpc,
  { record }: BondSetup,
  returnSecret: Uint8Array,
): Promise<{ readonly built: Built; readonly sent: Sent }> {
  if (record.returned === undefined) throw new Error('the return of this bond is not signed')
  const built = completeReturn(record.terms, record.returned, returnSecret)
  return { built, sent: await sendTransaction(rpc, built.raw, 0n) }
}

/** A watcher does not sign this bond. */
export class BondRefusedError extends Error {
  override readonly name = 'BondRefusedError'
  constructor(reason: string) {
    super(`watcher ${reason}`)
  }
}

/** bitcoind refuses what the bond is funded or shown with. */
export class BondSendError extends Error {
  override readonly name = 'BondSendError'
  constructor(what: string, detail: string) {
    super(`bitcoind refuses the ${what}: ${detail}`)
  }
}
