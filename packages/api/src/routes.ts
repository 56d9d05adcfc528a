import { TRANSFER_BYTES } from '@kedge/core'
import { z } from 'zod'
import { account, history } from './account.ts'
import { batch, batches, header, placedOperation } from './batch.ts'
import { blockHeaders } from './block-headers.ts'
import { bonds } from './bond.ts'
import { deposits } from './deposit.ts'
import { evidencePage } from './evidence.ts'
import { hash, key, limit, placeText, positionText, u32Text } from './fields.ts'
import { forcedPage } from './forced.ts'
import { health, network } from './health.ts'
import { metrics } from './metrics.ts'
import { MAX_TRANSFERS, payment, paymentId, submitted, submittedRows, transferBody, withdrawalBody } from './payment.ts'
import { defineRoute, type RequestOf, type ResponseOf } from './route.ts'
import { vault } from './vault.ts'
import { claims, withdrawal } from './withdrawal.ts'

/** Every route of a node's HTTP API. `before` is the `next` of the page before; without it a page begins at the newest. */
export const routes = {
  health: defineRoute({
    method: 'GET',
    path: '/health',
    summary: 'How the node does, and how far it has come',
    response: health,
  }),
  params: defineRoute({
    method: 'GET',
    path: '/params',
    summary: 'The network’s parameters, which hash to its id',
    response: network,
  }),
  metrics: defineRoute({
    method: 'GET',
    path: '/metrics',
    summary: 'Deadlines, balances, heights and fees, for Prometheus',
    response: metrics,
    text: 'text/plain; version=0.0.4; charset=utf-8',
  }),
  account: defineRoute({
    method: 'GET',
    path: '/accounts/:key',
    summary: 'A key’s cells, balance and deposits that wait',
    params: z.strictObject({ key }),
    response: account,
  }),
  accountHistory: defineRoute({
    method: 'GET',
    path: '/accounts/:key/history',
    summary: 'The operations that touched a key’s cells, newest first',
    params: z.strictObject({ key }),
    query: z.strictObject({ before: placeText.optional(), limit }),
    response: history,
  }),
  submitTransfer: defineRoute({
    method: 'POST',
    path: '/transfers',
    summary: 'Submit a signed transfer; the same one again is harmless',
    body: transferBody,
    response: submitted,
  }),
  submitTransfers: defineRoute({
    method: 'POST',
    path: '/transfers/bulk',
    summary: 'Submit many signed transfers back to back, each judged alone',
    body: { rowBytes: TRANSFER_BYTES, maxRows: MAX_TRANSFERS },
    response: submittedRows,
  }),
  submitWithdrawal: defineRoute({
    method: 'POST',
    path: '/withdrawals',
    summary: 'Submit a signed withdrawal; the same one again is harmless',
    body: withdrawalBody,
    response: submitted,
  }),
  withdrawal: defineRoute({
    method: 'GET',
    path: '/withdrawals/:id',
    summary: 'How far a withdrawal has come, and from when the vault pays it',
    params: z.strictObject({ id: paymentId }),
    response: withdrawal,
  }),
  vault: defineRoute({
    method: 'GET',
    path: '/vault',
    summary: 'What the vault holds, and what it owes',
    response: vault,
  }),
  claims: defineRoute({
    method: 'GET',
    path: '/vault/claims',
    summary: 'Claims that the vault has not paid, oldest first',
    query: z.strictObject({ after: u32Text.optional(), limit }),
    response: claims,
  }),
  forcedOperations: defineRoute({
    method: 'GET',
    path: '/forced',
    summary: 'Operations that were forced on Bitcoin, newest first',
    query: z.strictObject({ before: positionText.optional(), limit }),
    response: forcedPage,
  }),
  forced: defineRoute({
    method: 'GET',
    path: '/forced/:id',
    summary: 'Where a payment or a withdrawal was forced on Bitcoin, and what came of it',
    params: z.strictObject({ id: paymentId }),
    response: forcedPage,
  }),
  payment: defineRoute({
    method: 'GET',
    path: '/payments/:id',
    summary: 'Where on the ladder a payment stands, with its proof',
    params: z.strictObject({ id: paymentId }),
    response: payment,
  }),
  batch: defineRoute({
    method: 'GET',
    path: '/batches/:number',
    summary: 'One link of the anchor chain',
    params: z.strictObject({ number: u32Text }),
    response: batch,
  }),
  operation: defineRoute({
    method: 'GET',
    path: '/batches/:number/operations/:index',
    summary: 'The operation at a place of a batch, with its path to the header',
    params: z.strictObject({ number: u32Text, index: u32Text }),
    response: placedOperation,
  }),
  batches: defineRoute({
    method: 'GET',
    path: '/batches',
    summary: 'The links of the anchor chain, newest first',
    query: z.strictObject({ before: u32Text.optional(), limit }),
    response: batches,
  }),
  header: defineRoute({
    method: 'GET',
    path: '/headers/:hash',
    summary: 'A batch’s header',
    params: z.strictObject({ hash }),
    response: header,
  }),
  blockHeaders: defineRoute({
    method: 'GET',
    path: '/block-headers/:height',
    summary: 'Bitcoin’s block headers from a height on, oldest first',
    params: z.strictObject({ height: u32Text }),
    query: z.strictObject({ limit }),
    response: blockHeaders,
  }),
  deposits: defineRoute({
    method: 'GET',
    path: '/deposits/:key',
    summary: 'The deposits to a key, newest first',
    params: z.strictObject({ key }),
    query: z.strictObject({ before: positionText.optional(), limit }),
    response: deposits,
  }),
  bonds: defineRoute({
    method: 'GET',
    path: '/bonds',
    summary: 'The sequencer’s bonds, newest first, and whether one covers the next batch',
    response: bonds,
  }),
  evidence: defineRoute({
    method: 'GET',
    path: '/evidence',
    summary: 'Challenges, answers and evidence on Bitcoin, newest first',
    query: z.strictObject({ before: positionText.optional(), limit }),
    response: evidencePage,
  }),
} as const

export type Routes = typeof routes
export type RouteName = keyof Routes
export type RouteRequest<N extends RouteName> = RequestOf<Routes[N]>
export type RouteResponse<N extends RouteName> = ResponseOf<Routes[N]>
