export type { Tamper } from './seal.ts'
export { ForeignAnchorError, type SequencerOptions, startSequencer, WrongKeyError } from './start.ts'
