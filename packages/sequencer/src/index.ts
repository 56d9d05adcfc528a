export type { Tamper } from './producer.ts'
export { type SequencerOptions, startSequencer, WrongKeyError } from './start.ts'
