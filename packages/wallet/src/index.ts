export { type Balance, readBalance } from './actions/balance.ts'
export {
  type DepositRequest,
  deposit,
  type RecordedDeposit,
  type ResumedDeposit,
  resumeDeposits,
  type SentDeposit,
} from './actions/deposit.ts'
export {
  type ForcedOperation,
  type ForceRequest,
  type PreparedForce,
  prepareForce,
  publishForce,
  type ResumedPublication,
  resumePublications,
} from './actions/force.ts'
export { type HistoryLine, type HistoryPage, readHistory } from './actions/history.ts'
export { fetchProof, fetchReceipt } from './actions/keep.ts'
export { type Refund, type RefundRequest, refund } from './actions/refund.ts'
export { type ResumedSend, resumeSends } from './actions/resume.ts'
export { findRecentSend, type SendRequest, type SentPayment, send } from './actions/send.ts'
export { type PaymentStatus, readStatus } from './actions/status.ts'
export type { UnplacedSend } from './actions/unplaced.ts'
export {
  findRecentWithdrawal,
  quoteWithdrawal,
  type SentWithdrawal,
  type WithdrawalQuote,
  type WithdrawRequest,
  withdraw,
} from './actions/withdraw.ts'
export { type CheckedWithdrawal, readForced, readWithdrawal } from './actions/withdrawal-status.ts'
export { findKnownBlock } from './best-chain.ts'
export { checkPayment, checkReceipt, openProof, type ProvenPayment, type ProvenReceipt } from './documents.ts'
export { WalletError, type WalletErrorCode } from './errors.ts'
export { type Addresses, addressesOf, deriveKeys, ROLLUP_PURPOSE, type RollupKey, type WalletKeys } from './keys.ts'
export { type Check, type CheckName, checkProof } from './proof.ts'
export { readAcknowledgement } from './receipt.ts'
export type { EarlierSame } from './repeat.ts'
export { signTransfer } from './signing.ts'
export { readTold, type Told } from './turn.ts'
export { type CreatedWallet, createWallet, openWallet, readAddresses, type Wallet } from './wallet.ts'
export { createWords, parseWords } from './words.ts'
