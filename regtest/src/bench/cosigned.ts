import { randomBytes } from 'node:crypto'
import {
  type BondRecord,
  type BondRules,
  type BondTerms,
  type CosignerState,
  type LeaderState,
  type LeaderStep,
  newRecord,
  openSession,
  stepCosigner,
  stepLeader,
  type XOnlyKey,
} from '@kedge/bond'

const random = () => Uint8Array.from(randomBytes(32))

/** A bond signed by everybody at once, in one process: for transactions whose size is asked, and nothing else. */
export function cosignAlone(
  terms: BondTerms,
  rules: BondRules,
  leader: XOnlyKey,
  watchers: readonly XOnlyKey[],
): BondRecord {
  const states = watchers.map((): CosignerState => ({ records: [], round: undefined }))
  let state: LeaderState = { record: newRecord(terms), session: undefined }
  const waiting: LeaderStep['effects'][number][] = []
  const absorb = (step: LeaderStep) => {
    state = step.state
    waiting.push(...step.effects)
  }
  absorb(openSession(leader, state, random()))
  for (let effect = waiting.shift(); effect !== undefined; effect = waiting.shift()) {
    if (effect.do === 'ready') return effect.record
    if (effect.do !== 'send') continue
    for (const [at, key] of watchers.entries()) {
      const step = stepCosigner({ key, rules }, states[at] as CosignerState, effect.message, random())
      states[at] = step.state
      for (const each of step.effects)
        if (each.do === 'reply') absorb(stepLeader(leader, state, key.publicKey, each.message, random()))
    }
  }
  throw new Error('nobody has anything to say, and the bond is not signed')
}
