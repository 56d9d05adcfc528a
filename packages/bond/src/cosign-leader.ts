import { equalBytes, taggedHash, toHex } from '@kedge/core'
import type { BondRecord, CosignerMessage, LeaderMessage } from './cosign-message.ts'
import {
  areNonces,
  eraseRound,
  openRound,
  placeOf,
  type Round,
  shownNonces,
  signingsOf,
  signRound,
} from './cosign-round.ts'
import type { XOnlyKey } from './key.ts'
import { isPartial, joinPartials, type Signing } from './musig.ts'
import type { Stage } from './planned.ts'
import type { BondTerms } from './terms.ts'
import { setupId } from './terms-codec.ts'

/**
 * The sequencer's side of signing its bond. It leads: it opens sessions, hands everybody's nonces to everybody, and
 * joins the shares. First the slashes, then the return; the bond is funded only after `ready`.
 */
export interface LeaderState {
  readonly record: BondRecord
  readonly session: LeaderSession | undefined
}

interface LeaderSession {
  readonly round: Round
  /** By co-signer, in their order; undefined until it has sent them. */
  readonly nonces: readonly (readonly Uint8Array[] | undefined)[]
  /** Once all nonces are there. */
  readonly signings: readonly Signing[] | undefined
  readonly partials: readonly (readonly Uint8Array[] | undefined)[]
}

/** To be done in their order, each finished before the next. */
export type LeaderEffect =
  | { readonly do: 'persist'; readonly record: BondRecord }
  /** To every watcher. */
  | { readonly do: 'send'; readonly message: LeaderMessage }
  /** This co-signer holds the setup up. Open a new session, when it has mended that. */
  | { readonly do: 'blame'; readonly cosigner: Uint8Array; readonly reason: string }
  /** Every signature is there and written: B and its detectors may be funded. */
  | { readonly do: 'ready'; readonly record: BondRecord }

export interface LeaderStep {
  readonly state: LeaderState
  readonly effects: readonly LeaderEffect[]
}

/** A setup's record before anything is signed. */
export function newRecord(terms: BondTerms): BondRecord {
  return { terms, slashes: [], returned: undefined }
}

/**
 * Opens a session for what is not signed yet: at the start, after a restart with the record from disk, and whenever a
 * session got stuck.
 * @param random 32 bytes that never come again
 */
export function openSession(key: XOnlyKey, state: LeaderState, random: Uint8Array): LeaderStep {
  const { record } = state
  eraseRound(state.session?.round)
  const stage = nextStage(record)
  if (stage === undefined) return { state: { record, session: undefined }, effects: [{ do: 'ready', record }] }
  const session = taggedHash('kedge/bond-session', random).slice(0, 16)
  const round = openRound(key, session, record.terms, stage, random)
  const blank: (readonly Uint8Array[] | undefined)[] = round.cosigners.map(() => undefined)
  const nonces = blank.with(placeOf(round, key.publicKey), shownNonces(round))
  const message: LeaderMessage = { kind: 'open', session, stage, terms: record.terms, slashes: record.slashes }
  return {
    state: { record, session: { round, nonces, signings: undefined, partials: blank } },
    effects: [
      { do: 'persist', record },
      { do: 'send', message },
    ],
  }
}

function nextStage({ slashes, returned }: BondRecord): Stage | undefined {
  if (slashes.length === 0) return 'slash'
  return returned === undefined ? 'return' : undefined
}

/**
 * @param from the watcher who sent it, x-only, as the connection says
 * @param random 32 bytes that never come again
 */
export function stepLeader(
  key: XOnlyKey,
  state: LeaderState,
  from: Uint8Array,
  message: CosignerMessage,
  random: Uint8Array,
): LeaderStep {
  const { session } = state
  // What belongs to a session that is over says nothing any more.
  if (session === undefined || !equalBytes(session.round.session, message.session)) return { state, effects: [] }
  const at = placeOf(session.round, from)
  if (at < 0 || equalBytes(from, key.publicKey)) return { state, effects: [] }
  if (message.kind === 'refusal') return blame(state, from, `${message.reason}: ${message.detail}`)
  if (message.kind === 'nonces') return takeNonces(key, state, session, at, message.nonces)
  return takePartials(key, state, session, at, message.partials, random)
}

function takeNonces(
  key: XOnlyKey,
  state: LeaderState,
  session: LeaderSession,
  at: number,
  sent: readonly Uint8Array[],
): LeaderStep {
  const { round } = session
  // Its first word holds: a second one could only split what everybody signs.
  if (session.nonces[at] !== undefined) return { state, effects: [] }
  if (!areNonces(round, sent)) return blame(state, round.cosigners[at] as Uint8Array, 'its nonces are malformed')
  const nonces = session.nonces.with(at, sent)
  const all = nonces.filter((each) => each !== undefined)
  if (all.length < nonces.length) return { state: { ...state, session: { ...session, nonces } }, effects: [] }
  const signings = signingsOf(round, all)
  const partials = session.partials.with(placeOf(round, key.publicKey), signRound(round, key, signings))
  return {
    state: { ...state, session: { round, nonces, signings, partials } },
    effects: [{ do: 'send', message: { kind: 'sign', session: round.session, nonces: all } }],
  }
}

function takePartials(
  key: XOnlyKey,
  state: LeaderState,
  session: LeaderSession,
  at: number,
  sent: readonly Uint8Array[],
  random: Uint8Array,
): LeaderStep {
  const { round, signings } = session
  if (signings === undefined || session.partials[at] !== undefined) return { state, effects: [] }
  const right = sent.length === signings.length && signings.every((one, i) => isPartial(one, at, sent[i] as Uint8Array))
  if (!right) return blame(state, round.cosigners[at] as Uint8Array, 'its share of a signature is wrong')
  const partials = session.partials.with(at, sent)
  const all = partials.filter((each) => each !== undefined)
  if (all.length < partials.length) return { state: { ...state, session: { ...session, partials } }, effects: [] }
  const signatures = signings.map((one, i) =>
    joinPartials(
      one,
      all.map((each) => each[i] as Uint8Array),
    ),
  )
  return take(key, state.record, round.stage, signatures, random)
}

/** Signed: on disk first, then on to what is next. */
function take(
  key: XOnlyKey,
  before: BondRecord,
  stage: Stage,
  signatures: readonly Uint8Array[],
  random: Uint8Array,
): LeaderStep {
  if (stage === 'slash')
    return openSession(key, { record: { ...before, slashes: signatures }, session: undefined }, random)
  const [returned] = signatures
  if (returned === undefined) throw new Error('a return without a signature')
  const record = { ...before, returned }
  return {
    state: { record, session: undefined },
    effects: [
      { do: 'persist', record },
      { do: 'send', message: { kind: 'done', setup: setupId(record.terms), returned } },
      { do: 'ready', record },
    ],
  }
}

/** The session can't come to an end. */
function blame(state: LeaderState, cosigner: Uint8Array, reason: string): LeaderStep {
  eraseRound(state.session?.round)
  return {
    state: { ...state, session: undefined },
    effects: [{ do: 'blame', cosigner, reason: `${toHex(cosigner)}: ${reason}` }],
  }
}
