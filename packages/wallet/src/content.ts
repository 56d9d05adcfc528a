import {
  decodeTransfer,
  decodeWithdrawal,
  fromHex,
  type SignedOperation,
  TRANSFER_BYTES,
  WITHDRAWAL_BYTES,
} from '@kedge/core'
import { z } from 'zod'
import { MEMO_BYTES_MAX } from './memo.ts'

/** What a wallet's file holds. Everything but the words and the memos can be had again from the network. */

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 32 bytes of lower-case hex')
const hex = (bytes: number) =>
  z
    .string()
    .max(2 * bytes)
    .regex(/^(?:[0-9a-f]{2})*$/, 'must be lower-case hex')

const operation = (bytes: number, name: string) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `must be a ${name} as hex`)

const sent = {
  /** The payment's or the withdrawal's id: the message that was signed. */
  id: hash,
  memo: z.string().max(MEMO_BYTES_MAX).optional(),
  /**
   * `recorded`: written before it was sent, not acknowledged so far. `refused`: never acknowledged, and gives way.
   * `dropped`: acknowledged, and out of every batch since. `final`: seen in a final batch.
   */
  state: z.enum(['recorded', 'sequenced', 'final', 'refused', 'dropped']),
  /** The payer named the expiry: when it has passed, nothing is signed in this one's place. */
  expiryNamed: z.literal(true).optional(),
  reason: z.string().max(100).optional(),
  /** When it was signed, in seconds since 1970. */
  signedAt: z.int().nonnegative().optional(),
  /** It turned out to be ordered when its payer asked for something else: who makes it again means this one. */
  untold: z.literal(true).optional(),
  /** It was published on Bitcoin. */
  forced: z.literal(true).optional(),
  /** It was seen in a block of Bitcoin, by a proof that was checked here. */
  proven: z.literal(true).optional(),
  /** The sequencer's promise, kept as evidence. */
  acknowledgement: z.strictObject({ operation: hex(TRANSFER_BYTES), receipt: hex(2000) }).optional(),
}

/** What the wallet signed with its rollup key: each takes a nonce of its cell. */
const sendRecord = z.union([
  z.strictObject({ ...sent, transfer: operation(TRANSFER_BYTES, 'transfer') }),
  z.strictObject({ ...sent, withdrawal: operation(WITHDRAWAL_BYTES, 'withdrawal') }),
])

export type SendRecord = z.output<typeof sendRecord>

const depositRecord = z.strictObject({
  /** In Bitcoin's display order. */
  txid: hash,
  raw: hex(100_000),
})

export type DepositRecord = z.output<typeof depositRecord>

/** Of an operation that is forced: the two transactions that publish it. */
const publicationRecord = z.strictObject({
  /** The operation's. */
  id: hash,
  commit: depositRecord,
  reveal: depositRecord,
})

export type PublicationRecord = z.output<typeof publicationRecord>

const walletContent = z.strictObject({
  version: z.literal(1, 'it is not 1: another version of Kedge wrote the file, and reads it'),
  network: hash,
  chain: z.enum(['main', 'testnet4', 'signet', 'regtest']),
  words: z.string().max(300),
  sends: z.array(sendRecord),
  /** Deposit transactions that Bitcoin may lack, or lose again. */
  deposits: z.array(depositRecord),
  /** What was forced, as far as Bitcoin may lack it, or lose it again. */
  publications: z.array(publicationRecord).default([]),
})

export type WalletContent = z.output<typeof walletContent>

export type ReadContent =
  | { readonly ok: true; readonly content: WalletContent }
  | { readonly ok: false; readonly reason: string }

/** Reads a file's text. What this version would not have written is refused. */
export function decodeContent(text: string): ReadContent {
  const json = parseJson(text)
  if (json === undefined) return { ok: false, reason: 'it is not JSON' }
  const read = walletContent.safeParse(json.value)
  if (!read.success) {
    const [issue] = read.error.issues
    return { ok: false, reason: `${issue?.path.join('.') || 'the file'}: ${issue?.message}` }
  }
  const broken = read.data.sends.findIndex((record) => decodeRecord(record) === undefined)
  return broken < 0 ? { ok: true, content: read.data } : { ok: false, reason: `sends.${broken} does not decode` }
}

export function encodeContent(content: WalletContent): string {
  return `${JSON.stringify(content, null, 2)}\n`
}

/** What a record's owner signed: `decodeContent` has seen that it decodes. */
export function signedOf(record: SendRecord): SignedOperation {
  const signed = decodeRecord(record)
  if (signed === undefined) throw new Error(`the recorded operation ${record.id} does not decode`)
  return signed
}

function decodeRecord(record: SendRecord): SignedOperation | undefined {
  return 'transfer' in record ? decodeTransfer(fromHex(record.transfer)) : decodeWithdrawal(fromHex(record.withdrawal))
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
