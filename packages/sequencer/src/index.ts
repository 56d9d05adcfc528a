export type { Tamper } from './producer.ts'
export { ForeignAnchorError, type SequencerOptions, startSequencer, WrongKeyError } from './start.ts'
