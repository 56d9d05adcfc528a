import { decodeTransfer, fromHex, TRANSFER_BYTES, type Transfer } from '@kedge/core'
import { z } from 'zod'
import { MEMO_BYTES_MAX } from './memo.ts'

/** What a wallet's file holds. Everything but the words and the memos can be had again from the network. */

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 32 bytes of lower-case hex')
const hex = (bytes: number) =>
  z
    .string()
    .max(2 * bytes)
    .regex(/^(?:[0-9a-f]{2})*$/, 'must be lower-case hex')

const sendRecord = z.strictObject({
  /** The payment's id: the message that was signed. */
  id: hash,
  transfer: z.string().regex(new RegExp(`^[0-9a-f]{${2 * TRANSFER_BYTES}}$`), 'must be a transfer as hex'),
  memo: z.string().max(MEMO_BYTES_MAX).optional(),
  /**
   * `recorded`: written before it was sent, not acknowledged so far. `refused`: never acknowledged, and gives way.
   * `dropped`: acknowledged, and out of every batch since. `final`: seen in a final batch.
   */
  state: z.enum(['recorded', 'sequenced', 'final', 'refused', 'dropped']),
  /** The payer named the expiry: when it has passed, nothing is signed in this one's place. */
  expiryNamed: z.literal(true).optional(),
  reason: z.string().max(100).optional(),
  /** The sequencer's promise, kept as evidence. */
  acknowledgement: z.strictObject({ operation: hex(TRANSFER_BYTES), receipt: hex(2000) }).optional(),
})

export type SendRecord = z.output<typeof sendRecord>

const depositRecord = z.strictObject({
  /** In Bitcoin's display order. */
  txid: hash,
  raw: hex(100_000),
})

export type DepositRecord = z.output<typeof depositRecord>

const walletContent = z.strictObject({
  version: z.literal(1),
  network: hash,
  chain: z.enum(['main', 'testnet4', 'signet', 'regtest']),
  words: z.string().max(300),
  sends: z.array(sendRecord),
  /** Deposit transactions that Bitcoin may lack, or lose again. */
  deposits: z.array(depositRecord),
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
  const broken = read.data.sends.findIndex(({ transfer }) => decodeTransfer(fromHex(transfer)) === undefined)
  return broken < 0
    ? { ok: true, content: read.data }
    : { ok: false, reason: `sends.${broken}.transfer does not decode` }
}

export function encodeContent(content: WalletContent): string {
  return `${JSON.stringify(content, null, 2)}\n`
}

/** The transfer of a record: `decodeContent` has seen that it decodes. */
export function transferOf(record: SendRecord): Transfer {
  const transfer = decodeTransfer(fromHex(record.transfer))
  if (transfer === undefined) throw new Error(`the recorded transfer ${record.id} does not decode`)
  return transfer
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
