export {
  BondSpendError,
  completeReturn,
  type FraudSignature,
  fraudSighash,
  leavesReward,
  type Reward,
  type SlashPlan,
  signFraud,
  slashByEquivocation,
  slashByFraud,
} from './complete.ts'
export { decodeRecord, encodeRecord } from './cosign-codec.ts'
export {
  type LeaderEffect,
  type LeaderState,
  type LeaderStep,
  newRecord,
  openSession,
  stepLeader,
} from './cosign-leader.ts'
export type { BondRecord, CosignerMessage, CosignRefusal, LeaderMessage } from './cosign-message.ts'
export { areCosigned } from './cosign-round.ts'
export {
  type CosignerEffect,
  type CosignerParts,
  type CosignerState,
  type CosignerStep,
  stepCosigner,
} from './cosigner.ts'
export { findSlotSecret, noteSignature, parentSigned, type Signatures, tickSigned } from './equivocation.ts'
export {
  decodeFraudAnswer,
  decodeFraudRequest,
  encodeFraudAnswer,
  encodeFraudRequest,
  type FraudAnswer,
  type FraudClaim,
  type FraudRequest,
} from './fraud-request.ts'
export { runScript, type ScriptChecks, type ScriptFault, type ScriptRules } from './interpreter.ts'
export { type XOnlyKey, xOnlyKey } from './key.ts'
export type { TableId } from './nonce.ts'
export {
  type Claim,
  claimSlot,
  decodeLine,
  encodeLine,
  FRESH_LINE,
  findStaleness,
  type SlotLine,
  SlotTakenError,
  StaleLineError,
} from './sign-once.ts'
export {
  readCosignerMessage,
  readLeaderMessage,
  signCosignerMessage,
  signLeaderMessage,
} from './signed-message.ts'
export { isSlotSignature, type SlotClaim } from './slot-claim.ts'
export { extractSlotSecret, isSignedBy, type SignedMessage, signSlot } from './slot-signature.ts'
export { signHeader, signTick, tickSlotMessage } from './slot-statements.ts'
export { type NoncePoint, type SlotTable, slotPath, slotTable, tableRoot, tickPoints } from './slot-table.ts'
export { findSpendFault, type SpendFault } from './spend-check.ts'
export type { TableRequest } from './table-worker.ts'
export { TABLE_WORKER } from './table-worker-file.ts'
export { type BondRules, type BondTerms, bondRulesOf, findTermsFault } from './terms.ts'
export { setupId } from './terms-codec.ts'
