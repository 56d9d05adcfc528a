export type { Account, History, HistoryEntry } from './account.ts'
export type { Batch, Batches, Challenge, Header } from './batch.ts'
export type { Bonds, BondView } from './bond.ts'
export {
  ApiError,
  type ApiErrorCode,
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
  detailsOf,
} from './client.ts'
export type { Deposit, Deposits } from './deposit.ts'
export {
  type Answer,
  answer,
  type Details,
  type ErrorBody,
  type ErrorCode,
  errorBodyOf,
  type Fault,
  messageOf,
  overloaded,
  type RefusalCode,
  refuse,
  statusOf,
} from './errors.ts'
export type { Evidence, EvidencePage } from './evidence.ts'
export { PAGE_LIMIT, PAGE_LIMIT_MAX, type Place } from './fields.ts'
export type { Forced, ForcedPage } from './forced.ts'
export type { Health, Network } from './health.ts'
export {
  type Acknowledgement,
  MAX_TRANSFERS,
  type Payment,
  type PaymentProof,
  type Rung,
  type Submitted,
  type SubmittedRows,
} from './payment.ts'
export { type BinaryBody, defineRoute, findRowsFault, isBinary, type Route } from './route.ts'
export { type RouteName, type RouteRequest, type RouteResponse, type Routes, routes } from './routes.ts'
export type { VaultView } from './vault.ts'
export type { Claims, WithdrawalStatus } from './withdrawal.ts'
