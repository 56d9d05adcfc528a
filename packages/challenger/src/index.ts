export { BondWatcher } from './bond-watcher.ts'
export { findBatchInnocence } from './innocence.ts'
export {
  collectVotes,
  type FraudVotes,
  findSlashableBond,
  isSlashable,
  planSlash,
  sendSlash,
  slashWithVotes,
} from './slash.ts'
export { type ChallengerOptions, startChallenger } from './start.ts'
export { type Asking, decodeAnswer, encodeAsking, type VaultAnswer } from './vault-message.ts'
