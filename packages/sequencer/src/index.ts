export {
  type BondSetup,
  type BondWish,
  bondCoinKey,
  planBond,
  putSetup,
  readSetupStage,
  readSetups,
  type SetupStage,
} from './bond-plan.ts'
export { BondRefusedError, BondSendError, type CosignParts, cosignBond, fundBond, returnBond } from './bond-setup.ts'
export type { Tamper } from './seal.ts'
export { blocksToAnchor } from './standing.ts'
export { ForeignAnchorError, type SequencerOptions, startSequencer, WrongKeyError } from './start.ts'
