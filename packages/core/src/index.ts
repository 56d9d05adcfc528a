export { printAmount, printSats } from './amount.ts'
export { type Balance, type BalanceSums, balanceOf } from './balance.ts'
export {
  type BatchContext,
  BatchExecution,
  type BatchFault,
  type BatchPlace,
  type BuiltHeader,
  buildHeader,
  type Checked,
  checkBatch,
  type SealedBatch,
} from './batch.ts'
export {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  type Checkpoint,
  decodeBlockHeader,
  MAX_BLOCK_HEADERS,
} from './block-headers.ts'
export {
  afterBlocks,
  type BondKeys,
  type BondStake,
  bondKey,
  bondKeysOf,
  bondScript,
  bondScriptsOf,
  cosignersOf,
  DETECTOR_LEAVES,
  detectorOutput,
  equivocationLeaf,
  type FundedOutput,
  forfeitOf,
  fraudLeaf,
  readFunding,
  returnLeaf,
  stakeOf,
} from './bond.ts'
export { type BondOutcome, bondOutcome, isSlashSigned, slashFrame, slashSighash, UNLOCKED } from './bond-spend.ts'
export { type Bond, covers, isCovered } from './bonds.ts'
export { concatBytes, equalBytes, fromHex, isHex, isZero, reverseBytes, toHex } from './bytes.ts'
export { type Account, CELL_BYTES, decodeAccount, encodeAccount } from './cell.ts'
export type { Certificate, WatcherSignature } from './certificate.ts'
export {
  type Certifiable,
  type CertifyAnswer,
  certifiableOf,
  certifyMessage,
  decodeCertifyAnswer,
  decodeCertifyRequest,
  encodeCertifyAnswer,
  encodeCertifyRequest,
} from './certify.ts'
export {
  type AnchoredBatch,
  aliveSince,
  answerBlocks,
  type Chain,
  type Challenge,
  challengeLimit,
  challengesOf,
  finalHeight,
  findInLine,
  genesisChain,
  headOf,
  isOpen,
} from './chain.ts'
export { type Claim, payableAt } from './claim.ts'
export { Reader, U64_MAX, Writer } from './codec.ts'
export { type Collect, encodeCollect } from './collect.ts'
export { decodeDelta } from './delta.ts'
export {
  type Credit,
  creditedAmount,
  creditedTotal,
  type Deposit,
  decodeCredit,
  encodeCredit,
  outpointOf,
  type SweptDeposit,
} from './deposit.ts'
export { type Derived, deriveBlock } from './derive.ts'
export { isDestination } from './destination.ts'
export {
  type Document,
  decodeDocument,
  documentFromJson,
  documentToJson,
  encodeDocument,
  MAX_DOCUMENT_BYTES,
  type PaymentDocument,
  type ReadDocument,
  type ReceiptDocument,
} from './document.ts'
export { batchLimits, type Due, type Facts, findDue } from './duty.ts'
export type { ChainEvent, VoidCause } from './events.ts'
export {
  type Court,
  decodeEvidence,
  type Evidence,
  type EvidenceFault,
  encodeEvidence,
  type HeaderEvidence,
  type Verdict,
  verifyEvidence,
} from './evidence.ts'
export { executeExit, isExit } from './exit.ts'
export { type BlockFacts, L1Facts } from './facts.ts'
export { FORCED_KIND, type Forced, type ForcedEntry, readForced } from './forced.ts'
export {
  type Hasher,
  hasherName,
  hashInto,
  hashPair,
  hashRecord,
  hashTwice,
  installHasher,
  nobleHasher,
  sha256,
  taggedHash,
  ZERO_HASH,
  zeroHash,
} from './hash.ts'
export {
  type AnchoredLink,
  decodeHeader,
  encodeHeader,
  genesisEnd,
  HEADER_BYTES,
  type Header,
  type HeaderFault,
  hasLapsed,
  headerHash,
  isVouchedFor,
  judgeHeader,
  MAX_HEADER_BYTES,
  type Origin,
  type ParentEnd,
  PREV_SIG_BYTES,
  parentEndOf,
  type SlotFields,
} from './header.ts'
export { type Included, type Inclusion, proveInclusion, readInclusion } from './inclusion.ts'
export { jointKey } from './joint-key.ts'
export {
  comparePositions,
  type L1Block,
  type L1Input,
  type L1Output,
  type L1Transaction,
  type Outpoint,
  outpointKey,
  type Position,
} from './l1.ts'
export { Ledger } from './ledger.ts'
export { computeRoot, depthOf, MerkleLog, merkleRoot, proveLeaves } from './merkle.ts'
export {
  type Anchor,
  type BatchAnchor,
  batchAnchor,
  type ChallengeTag,
  CLAIM_SPAN,
  type DataKind,
  type DepositTag,
  decodeMessage,
  type EvidenceTag,
  encodeMessage,
  type Message,
  type PartTag,
  type PayoutTag,
  resumeAnchor,
} from './message.ts'
export { type DataMode, dataModeOf, mostOperations, publishesAll } from './mode.ts'
export { CellNodes, type NodeMemory } from './nodes.ts'
export {
  applyOperation,
  type Context,
  decodeOperation,
  encodeOperation,
  MAX_OPERATION_BYTES,
  namedCells,
  type Operation,
  operationId,
  type Refusal,
  touchedCells,
} from './operation.ts'
export {
  type BitcoinChain,
  type BondParams,
  type DataParams,
  findParamsFault,
  networkId,
  type Params,
  regtestBond,
  regtestRules,
} from './params.ts'
export { paramsFromJson, paramsToJson } from './params-json.ts'
export {
  type AnchoredPayment,
  decodePaymentProof,
  encodePaymentProof,
  openPaymentProof,
  type PaymentProof,
  PROOF_STAGES,
  type ProofStage,
} from './payment-proof.ts'
export {
  lonePayoutVbytes,
  MAX_SWEPT,
  maySweep,
  type PlannedInput,
  plannedVbytes,
  planPayout,
  planSweep,
  sweepDeadline,
  sweepOf,
  type VaultPlan,
} from './payout.ts'
export { INPUT_CAPACITY, pieceOutput, pieceWitness, readPieces, splitPieces } from './pieces.ts'
export {
  type Breach,
  type BrokenPromise,
  decodeBrokenPromise,
  encodeBrokenPromise,
  judgePromise,
  judgeSaid,
  type KnownBatch,
  type KnownOperations,
  type PromiseFacts,
  type PromiseVerdict,
  type Said,
  type ShownLink,
  showPromise,
  showTick,
} from './promise.ts'
export { type CommittedBatch, findFirstDifference, proveEnd, proveStep } from './prove.ts'
export {
  decodePart,
  decodeRun,
  encodeHeaderPart,
  encodeParts,
  encodeRun,
  encodeWhole,
  joinRuns,
  MAX_CERTIFIED_PART,
  MAX_PART,
  type Part,
  type PartSource,
  readWhole,
} from './publication.ts'
export {
  decodeReceipt,
  encodeReceipt,
  nonceRootOf,
  type Receipt,
  type ReceiptVerdict,
  receiptHolds,
  type SignedTick,
  type Tick,
  tickMessage,
  verifyReceipt,
} from './receipt.ts'
export { gapsIn } from './runs.ts'
export {
  anchorOutput,
  anchorScript,
  type DepositOutput,
  dataCarrier,
  dataCarrierScript,
  depositOutput,
  type LeafOutput,
  push,
  pushNumber,
  quorum,
  signalScript,
  takeoverLeaf,
  tapBranch,
  tapLeafHash,
  taprootKey,
  taprootScript,
  tapTweak,
  UNSPENDABLE_KEY,
  vaultOutput,
  vaultScript,
} from './scripts.ts'
export { decodeSigned, encodeSigned, type SignedOperation, signedMessage } from './signed.ts'
export { computeNonceRoot, headerSlotMessage, isSlotPoint, nonceRoot, type Slot } from './slot.ts'
export { type HashedSteps, StepHasher, type StepRows, stepLeaves } from './steps.ts'
export { decodeStripped, readCompactSize, readSized } from './stripped.ts'
export { readChallenge, SIGNAL_VALUE } from './tags.ts'
export { MAX_DEPTH, type TreeOutput, treeOutput } from './tap-tree.ts'
export {
  decodeTotals,
  encodeTotals,
  GENESIS_ROOT,
  GENESIS_TOTALS,
  MAX_SUPPLY,
  stateRoot,
  type Totals,
} from './totals.ts'
export {
  decodeTransfer,
  encodeTransfer,
  isNonceUsed,
  payerOf,
  TRANSFER_BYTES,
  TRANSFER_KIND,
  type Transfer,
  transferMessage,
} from './transfer.ts'
export { CellTree } from './tree.ts'
export {
  findVaultInput,
  genesisVault,
  isPaid,
  type PaidClaims,
  paidBetween,
  paidEnd,
  spendVault,
  unpaidBelow,
  type Vault,
} from './vault.ts'
export {
  judgeAsked,
  judgeProposal,
  type PayableClaim,
  type ProposalRefusal,
  type ProposalVerdict,
  proposeNext,
  readProposal,
  type VaultView,
} from './vault-judge.ts'
export {
  decodeProposal,
  encodeProposal,
  MAX_PROPOSAL,
  type PayoutProposal,
  proposalMessage,
  type SweepProposal,
  type VaultProposal,
} from './vault-proposal.ts'
export {
  type AnchorBlock,
  type PaymentVerdict,
  type Reservation,
  type ShownPayment,
  verifyPayment,
} from './verify-payment.ts'
export {
  decodeWithdrawal,
  encodeWithdrawal,
  leastWithdrawal,
  WITHDRAWAL_BYTES,
  WITHDRAWAL_KIND,
  type Withdrawal,
  withdrawalMessage,
} from './withdrawal.ts'
