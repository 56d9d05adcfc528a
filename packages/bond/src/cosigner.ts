import { cosignersOf, equalBytes } from '@kedge/core'
import type { BondRecord, CosignerMessage, CosignRefusal, LeaderMessage } from './cosign-message.ts'
import {
  areCosigned,
  eraseRound,
  isComplete,
  openRound,
  placeOf,
  type Round,
  shownNonces,
  signingsOf,
  signRound,
} from './cosign-round.ts'
import type { XOnlyKey } from './key.ts'
import { type BondRules, type BondTerms, findTermsFault, printOutpoint } from './terms.ts'
import { setupId } from './terms-codec.ts'

/**
 * A watcher's side of signing a bond: a function from what it knows and hears to what it knows then and must do. It
 * signs the two ways out of a bond whose terms it has rebuilt, and nothing else; the return only once it holds every
 * slash, so that no bond is funded that could leave and not be slashed.
 */
export interface CosignerParts {
  readonly key: XOnlyKey
  readonly rules: BondRules
}

export interface CosignerState {
  /** All there ever were, from disk. */
  readonly records: readonly BondRecord[]
  /** The one session, in memory only. */
  readonly round: Round | undefined
}

/** To be done in their order, each finished before the next: what is said rests on what is written. */
export type CosignerEffect =
  | { readonly do: 'persist'; readonly record: BondRecord }
  | { readonly do: 'reply'; readonly message: CosignerMessage }

export interface CosignerStep {
  readonly state: CosignerState
  readonly effects: readonly CosignerEffect[]
}

/** @param random 32 bytes that never come again */
export function stepCosigner(
  parts: CosignerParts,
  state: CosignerState,
  message: LeaderMessage,
  random: Uint8Array,
): CosignerStep {
  if (message.kind === 'open') return open(parts, state, message, random)
  if (message.kind === 'sign') return sign(parts, state, message)
  return done(state, message)
}

type Open = Extract<LeaderMessage, { kind: 'open' }>

function open({ key, rules }: CosignerParts, state: CosignerState, message: Open, random: Uint8Array): CosignerStep {
  const { session, stage, terms, slashes } = message
  const fault = findTermsFault(terms, rules)
  if (fault !== undefined) return refuse(state, session, 'terms', fault)
  if (!cosignersOf(terms.keys).some((cosigner) => equalBytes(cosigner, key.publicKey)))
    return refuse(state, session, 'terms', 'this co-signer is not among them')
  const conflict = findConflict(state.records, terms)
  if (conflict !== undefined) return refuse(state, session, 'conflict', `${conflict} belongs to another setup`)
  if (stage === 'return' && !areCosigned(terms, 'slash', slashes))
    return refuse(state, session, 'slash', "the slashes' signatures are missing, or wrong")
  // A new session is the end of the one before: two with the same nonces would reveal the key.
  eraseRound(state.round)
  const known = findRecord(state.records, setupId(terms))
  const record: BondRecord = {
    terms,
    slashes: stage === 'return' ? slashes : (known?.slashes ?? []),
    returned: known?.returned,
  }
  const round = openRound(key, session, terms, stage, random)
  const reply: CosignerMessage = { kind: 'nonces', session, nonces: shownNonces(round) }
  return {
    state: { records: withRecord(state.records, record), round },
    effects: [
      { do: 'persist', record },
      { do: 'reply', message: reply },
    ],
  }
}

function sign(
  { key }: CosignerParts,
  state: CosignerState,
  { session, nonces }: Extract<LeaderMessage, { kind: 'sign' }>,
): CosignerStep {
  const { round } = state
  if (round === undefined || !equalBytes(round.session, session))
    return refuse(state, session, 'session', 'open a new session')
  if (placeOf(round, key.publicKey) < 0 || !isComplete(round, key.publicKey, nonces))
    return refuse(state, session, 'nonces', "not everybody's nonces, or not mine")
  const partials = signRound(round, key, signingsOf(round, nonces))
  return {
    state: { ...state, round: undefined },
    effects: [{ do: 'reply', message: { kind: 'partials', session, partials } }],
  }
}

/** Nothing depends on it, so what is not known or not right is left alone. */
function done(state: CosignerState, { setup, returned }: Extract<LeaderMessage, { kind: 'done' }>): CosignerStep {
  const known = findRecord(state.records, setup)
  if (known === undefined || !areCosigned(known.terms, 'return', [returned])) return { state, effects: [] }
  const record = { ...known, returned }
  return {
    state: { ...state, records: withRecord(state.records, record) },
    effects: [{ do: 'persist', record }],
  }
}

function refuse(state: CosignerState, session: Uint8Array, reason: CosignRefusal, detail: string): CosignerStep {
  return { state, effects: [{ do: 'reply', message: { kind: 'refusal', session, reason, detail } }] }
}

/** An output of the terms that is part of other terms already. Agreed once is agreed for ever. */
function findConflict(records: readonly BondRecord[], terms: BondTerms): string | undefined {
  const id = setupId(terms)
  const taken = records
    .filter((record) => !equalBytes(setupId(record.terms), id))
    .flatMap(({ terms }) => outputsOf(terms))
  return outputsOf(terms).find((outpoint) => taken.includes(outpoint))
}

function outputsOf({ bond, detectors }: BondTerms): string[] {
  return [bond, ...detectors].map(({ outpoint }) => printOutpoint(outpoint))
}

function findRecord(records: readonly BondRecord[], setup: Uint8Array): BondRecord | undefined {
  return records.find(({ terms }) => equalBytes(setupId(terms), setup))
}

function withRecord(records: readonly BondRecord[], record: BondRecord): BondRecord[] {
  const id = setupId(record.terms)
  return [...records.filter(({ terms }) => !equalBytes(setupId(terms), id)), record]
}
