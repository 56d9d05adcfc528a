import type { Refusal } from '@kedge/core'
import { z } from 'zod'

/**
 * Every way in which a request can fail. Codes are stable: programs compare them, people read the sentence. The
 * refusals of a transfer or withdrawal carry core's own names, so a node never translates one.
 */
interface ErrorKind {
  readonly status: 400 | 404 | 408 | 409 | 410 | 413 | 422 | 429 | 500 | 503
  /** One sentence for a person: what is wrong, and what to do where that is known. */
  readonly message: string
}

/** What its owner signed is never refused for a duty. */
type SignedRefusal = Exclude<Refusal, 'not-due' | 'deposit-due' | 'forced-due'>

const refusals = {
  undecodable: { status: 400, message: 'These bytes are not a transfer, or a withdrawal, in its one canonical form.' },
  'unknown-cell': {
    status: 422,
    message: 'The paying account does not exist yet; its first deposit or payment creates it.',
  },
  'self-transfer': { status: 422, message: 'A transfer cannot pay the account that it comes from.' },
  'zero-amount': { status: 422, message: 'A transfer must move at least one millisatoshi.' },
  'nonce-used': {
    status: 409,
    message: 'The account has already spent this nonce in another operation; read the account and sign again.',
  },
  'nonce-ahead': {
    status: 409,
    message: 'An earlier operation of this account is missing; send them in the order of their nonces.',
  },
  expired: {
    status: 422,
    message: 'Its expiry height has passed; it can never be executed, sign a new one.',
  },
  'may-not-create': {
    status: 422,
    message: 'The recipient has no account yet and the transfer does not allow creating one.',
  },
  'fee-too-low': { status: 422, message: 'The fee is below the network’s minimum for this operation.' },
  'payout-fee-too-low': {
    status: 422,
    message: 'The withdrawal allows less for its share of the payout’s fee than the network asks for.',
  },
  dust: {
    status: 422,
    message: 'The withdrawal is so small that, less its share of the payout’s fee, it would be dust.',
  },
  'wrong-recipient': { status: 422, message: 'The named account does not belong to the recipient’s key.' },
  'insufficient-funds': { status: 422, message: 'The account holds less than the amount and the fee together.' },
  overflow: { status: 422, message: 'It would take a number beyond its limit.' },
  'bad-signature': {
    status: 422,
    message: 'The signature is not the paying account’s over this operation on this network.',
  },
} as const satisfies Record<SignedRefusal, ErrorKind>

const kinds = {
  ...refusals,
  'bad-request': { status: 400, message: 'The request does not have the form that this route asks for.' },
  'not-found': { status: 404, message: 'There is nothing at this address.' },
  'too-slow': { status: 408, message: 'The request did not arrive in time.' },
  'too-large': { status: 413, message: 'The request is larger than this route accepts.' },
  overloaded: { status: 429, message: 'The node has more to do than it can take in; try again in a moment.' },
  internal: { status: 500, message: 'The node failed on this request; its log says why.' },
  'no-sequencer': {
    status: 503,
    message: 'This node cannot reach a sequencer, so nobody has taken this; try again later or at another node.',
  },
  syncing: {
    status: 503,
    message:
      'The node is still catching up with Bitcoin, or waits for a peer’s word after a start; try again when its health says synced.',
  },
  'chain-broken': {
    status: 503,
    message:
      'A batch is void, or may miss the blocks that it has left, or no bond covers the next one; transfers are taken again once the chain has gone on.',
  },
  'batch-rejected': {
    status: 503,
    message:
      'The sequencer found an anchored batch faulty (its health says which), and Bitcoin does not show that yet; transfers are taken again when the batch is void and the chain resumed.',
  },
  'chain-closed': { status: 410, message: 'The chain is closed for good and takes no more transfers.' },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof kinds
export type RefusalCode = keyof typeof refusals

const codes = Object.keys(kinds) as [ErrorCode, ...ErrorCode[]]
const refusalCodes = Object.keys(refusals) as [RefusalCode, ...RefusalCode[]]

export const errorCode = z.enum(codes)

/** Why a transfer or a withdrawal is refused; also what a bulk submission says of one row. */
export const refusalCode = z.enum(refusalCodes)

export type Details = Readonly<Record<string, string | number>>

/** A failed request as a value. */
export interface Fault {
  readonly code: ErrorCode
  /** The fields that are wrong, or numbers that help: `retryAfterMs` for `overloaded`, `expected` for a nonce. */
  readonly details?: Details
}

/** What a route's answer is before it becomes HTTP. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault }

export function answer<T>(value: T): Answer<T> {
  return { ok: true, value }
}

export function refuse(code: ErrorCode, details?: Details): Answer<never> {
  return { ok: false, fault: details === undefined ? { code } : { code, details } }
}

export function overloaded(retryAfterMs: number): Answer<never> {
  return refuse('overloaded', { retryAfterMs })
}

export function statusOf(code: ErrorCode): ErrorKind['status'] {
  return kinds[code].status
}

export function messageOf(code: ErrorCode): string {
  return kinds[code].message
}

export const errorBody = z
  .object({
    error: z.object({
      code: errorCode,
      message: z.string().max(1000),
      details: z.record(z.string().max(100), z.union([z.string().max(1000), z.number()])).optional(),
    }),
  })
  .meta({ id: 'Error' })

export type ErrorBody = z.output<typeof errorBody>

export function errorBodyOf({ code, details }: Fault): ErrorBody {
  const error = { code, message: messageOf(code) }
  return { error: details === undefined ? error : { ...error, details } }
}
