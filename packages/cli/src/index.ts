export { sequencerCommand } from './commands/sequencer.ts'
export { createKeys, type Keys, type KeysRole, readKeys } from './keys-file.ts'
export { runCommand } from './program.ts'
export {
  callRegtest,
  type RegtestCall,
  RegtestError,
  type RegtestRequest,
  type RegtestResponse,
  type RegtestState,
  readRegtestState,
  regtestCalls,
  stateFileOf,
} from './regtest-control.ts'
export { parseReadyLine, type ReadyLine } from './run-node.ts'
