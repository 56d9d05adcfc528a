import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Outpoint } from './l1.ts'
import { decodeMessage, encodeMessage } from './message.ts'
import { MAX_SWEPT } from './payout.ts'

/**
 * What a watcher asks the others to sign: the choices that a spend of the vault leaves open, and nothing else. Each of
 * them makes the transaction from it for itself, so no script and no amount in it can be another's.
 */
export type VaultProposal = SweepProposal | PayoutProposal

export interface SweepProposal {
  readonly kind: 'sweep'
  /** What it spends as input 0. */
  readonly head: Outpoint
  /** Satoshis. */
  readonly fee: bigint
  /** In Bitcoin's order. */
  readonly deposits: readonly Outpoint[]
}

export interface PayoutProposal {
  readonly kind: 'payout'
  readonly head: Outpoint
  /** Satoshis: the same share of each claim. */
  readonly fee: bigint
  /** For its tag: a final header that owes all the claims. */
  readonly headerHash: Uint8Array
  /** Ascending, all within `CLAIM_SPAN` of the first. */
  readonly claims: readonly number[]
}

const SWEEP = 1
const PAYOUT = 2

/** Bytes of the longest one: a sweep of `MAX_SWEPT` deposits. */
export const MAX_PROPOSAL = 46 + 36 * MAX_SWEPT

export function encodeProposal(proposal: VaultProposal): Uint8Array {
  const { head, fee } = proposal
  const writer = new Writer().u8(proposal.kind === 'sweep' ? SWEEP : PAYOUT)
  writeOutpoint(writer, head).u64(fee)
  if (proposal.kind === 'payout') {
    const tag = encodeMessage(proposal)
    return writer.fixed(tag, tag.length).bytes
  }
  writer.u8(proposal.deposits.length)
  for (const deposit of proposal.deposits) writeOutpoint(writer, deposit)
  return writer.bytes
}

export function decodeProposal(bytes: Uint8Array): VaultProposal | undefined {
  const reader = new Reader(bytes)
  const kind = reader.u8()
  const head = readOutpoint(reader)
  const fee = reader.u64()
  if (kind === PAYOUT) {
    const tag = decodeMessage(reader.view(reader.left))
    return reader.done && tag?.kind === 'payout' ? { ...tag, head, fee } : undefined
  }
  const count = reader.u8()
  if (kind !== SWEEP || count < 1 || count > MAX_SWEPT) return undefined
  const deposits = Array.from({ length: count }, () => readOutpoint(reader))
  return reader.done ? { kind: 'sweep', head, fee, deposits } : undefined
}

/** The 32 bytes that its watcher signs, so that nobody else can make the others spend at a fee of his choice. */
export function proposalMessage(network: Uint8Array, proposal: VaultProposal): Uint8Array {
  const bytes = encodeProposal(proposal)
  return taggedHash('kedge/vault-proposal/1', new Writer().hash(network).fixed(bytes, bytes.length).bytes)
}

function writeOutpoint(writer: Writer, { txid, vout }: Outpoint): Writer {
  return writer.hash(txid).u32(vout)
}

function readOutpoint(reader: Reader): Outpoint {
  return { txid: reader.hash(), vout: reader.u32() }
}
