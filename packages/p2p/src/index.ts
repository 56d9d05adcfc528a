import './polyfill.ts'

export type { ValidateHeader, Verdict } from './announce.ts'
export type { AnswerBond } from './bond.ts'
export type { DataKind, DataRequest } from './control.ts'
export { type AnswerData, ExchangeError, type FetchOptions } from './exchange.ts'
export { createHost, type Host, HostError, type HostOptions, HostStoppedError, type Unreachable } from './host.ts'
export {
  type Limits,
  MAX_BOND_MESSAGE,
  MAX_HEADER,
  MAX_SUBMISSION,
  MAX_SUBMISSION_RESPONSE,
  MAX_VAULT_ANSWER,
  MAX_VAULT_REQUEST,
} from './limits.ts'
export type { PeerInfo } from './peers.ts'
export { NoSequencerError, SubmitError, type TakeTransfers } from './submit.ts'
export type { TickKeeper, TickListener } from './ticks.ts'
export type { AnswerWatcher, AskOptions } from './vault.ts'
