import { publicKeyOf } from '@kedge/bitcoin'
import { dataCarrierScript, type FundedOutput, forfeitOf, type Outpoint, sha256 } from '@kedge/core'
import { type LeaderState, type LeaderStep, newRecord, openSession, stepLeader } from '../src/cosign-leader.ts'
import type { BondRecord, CosignerMessage, LeaderMessage } from '../src/cosign-message.ts'
import { type CosignerParts, type CosignerState, stepCosigner } from '../src/cosigner.ts'
import { xOnlyKey } from '../src/key.ts'
import type { BondRules, BondTerms } from '../src/terms.ts'
import { of } from './ground.ts'

/** The sequencer and three watchers, two of whom can slash; everybody's secrets are known. */

export const SECRETS = {
  anchor: of(1),
  slot: of(2),
  sequencer: of(4),
  return: of(5),
  watchers: [of(11), of(12), of(13)],
} as const

export const KEYS: BondTerms['keys'] = {
  sequencer: publicKeyOf(SECRETS.sequencer),
  slot: publicKeyOf(SECRETS.slot),
  return: publicKeyOf(SECRETS.return),
  watchers: SECRETS.watchers.map(publicKeyOf),
  threshold: 2,
}

export const RULES: BondRules = {
  network: of(9),
  keys: KEYS,
  returnDelay: 6,
  minimum: 1_000_000n,
  forfeit: { percent: 80, script: dataCarrierScript(new TextEncoder().encode('forfeited')) },
}

const outpointOf = (seed: number): Outpoint => ({ txid: of(seed), vout: seed })
export const BOND: FundedOutput = { outpoint: outpointOf(0x40), value: 1_000_000n }
export const DETECTOR: FundedOutput = { outpoint: outpointOf(0x41), value: 1_000n }

export function termsFor(bond: FundedOutput, detectors: readonly FundedOutput[], returned: Uint8Array): BondTerms {
  const total = detectors.reduce((sum, { value }) => sum + value, bond.value)
  return {
    network: RULES.network,
    keys: KEYS,
    returnDelay: RULES.returnDelay,
    bond,
    detectors,
    forfeit: { script: RULES.forfeit.script, value: forfeitOf(bond.value, RULES.forfeit.percent) },
    returned: { script: returned, value: total - 2_000n },
  }
}

/** Numbers that never come again, for tests: the hash of a counter. */
let drawn = 0
export function random(): Uint8Array {
  drawn += 1
  return sha256(Uint8Array.of(drawn & 0xff, (drawn >> 8) & 0xff, drawn >> 16))
}

export const LEADER = xOnlyKey(SECRETS.sequencer)

export interface Watcher {
  readonly parts: CosignerParts
  state: CosignerState
  /** What is on its disk. */
  disk: readonly BondRecord[]
}

export const newWatcher = (secret: Uint8Array): Watcher => ({
  parts: { key: xOnlyKey(secret), rules: RULES },
  state: { records: [], round: undefined },
  disk: [],
})

/** One message to a watcher: what it writes is written, what it says is returned. */
export function tell(watcher: Watcher, message: LeaderMessage): CosignerMessage[] {
  const { state, effects } = stepCosigner(watcher.parts, watcher.state, message, random())
  watcher.state = state
  return effects.flatMap((effect) => {
    if (effect.do === 'reply') return [effect.message]
    watcher.disk = [...watcher.disk, effect.record]
    return []
  })
}

/** Everybody answers everything at once, until nothing is left to say. */
export function cosign(terms: BondTerms, watchers = SECRETS.watchers.map(newWatcher)): BondRecord {
  let state: LeaderState = { record: newRecord(terms), session: undefined }
  const sent: LeaderMessage[] = []
  let ready: BondRecord | undefined
  const absorb = (step: LeaderStep) => {
    state = step.state
    for (const effect of step.effects) {
      if (effect.do === 'blame') throw new Error(effect.reason)
      if (effect.do === 'send') sent.push(effect.message)
      if (effect.do === 'ready') ready = effect.record
    }
  }
  absorb(openSession(LEADER, state, random()))
  for (let message = sent.shift(); message !== undefined; message = sent.shift()) {
    for (const watcher of watchers)
      for (const reply of tell(watcher, message))
        absorb(stepLeader(LEADER, state, watcher.parts.key.publicKey, reply, random()))
  }
  if (ready === undefined) throw new Error('nobody has anything to say, and the bond is not signed')
  return ready
}
