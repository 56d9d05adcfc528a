import { type BlockHeader, type Checkpoint, type HeaderRun, readBlockHeaders, workOf } from './block-headers.ts'
import { equalBytes } from './bytes.ts'
import { isOfAge } from './header.ts'
import { networkId, type Params } from './params.ts'
import { type AnchoredPayment, decodePaymentProof, openPaymentProof, type ProofStage } from './payment-proof.ts'

/** What shows a payment to somebody without a node: a proof (`encodePaymentProof`) and block headers. */
export interface ShownPayment {
  readonly proof: Uint8Array
  /** 80 bytes each, oldest first: from the batch's origin to some blocks behind the anchor. */
  readonly blockHeaders: Uint8Array
}

/** Where in Bitcoin the anchor stands. */
export interface AnchorBlock {
  readonly hash: Uint8Array
  readonly height: number
  /** Blocks from the anchor's own to the last one shown. */
  readonly depth: number
  /** Hashes that these blocks took on average. */
  readonly work: bigint
  /** The block that is known is the anchor's or stands behind it: then the anchor's is as certain as that one. */
  readonly isBelowCheckpoint: boolean
}

/**
 * What a proof can't exclude:
 * - `reorg`: that Bitcoin drops the anchor's block
 * - `work`: that the blocks behind the checkpoint are no part of Bitcoin's chain, which on a test chain cost little
 * - `chain`: that the holder of the anchor key, or the watchers, spent an output that is not of the chain
 * - `null`: that the link is without effect
 * - `lapsed`: that the origin block left the best chain
 * - `void`: that the batch, or one before it, is void or will be
 * - `payer`: that the transfer is not signed by the owner of the paying cell
 */
export interface Reservation {
  readonly name: 'reorg' | 'work' | 'chain' | 'null' | 'lapsed' | 'void' | 'payer'
  readonly sentence: string
}

export type PaymentVerdict =
  | {
      readonly ok: true
      readonly payment: AnchoredPayment
      readonly block: AnchorBlock
      readonly reservations: readonly Reservation[]
    }
  | { readonly ok: false; readonly stage: ProofStage | 'form' | 'headers' | 'lapsed'; readonly reason: string }

/** Judges a payment "anchored, D deep" by itself: nothing but the parameters and one block that is known is trusted. */
export function verifyPayment(params: Params, shown: ShownPayment, checkpoint: Checkpoint): PaymentVerdict {
  const proof = decodePaymentProof(shown.proof)
  if (proof === undefined) return { ok: false, stage: 'form', reason: 'the proof does not decode' }
  const opened = openPaymentProof(params, networkId(params), proof)
  if (!opened.ok) return opened
  const read = readBlockHeaders(params.chain, shown.blockHeaders, checkpoint)
  if (!read.ok) return { ok: false, stage: 'headers', reason: read.reason }
  const block = findBlock(read.run, opened.payment.merkleRoot)
  if (block === undefined) return { ok: false, stage: 'block', reason: 'the anchor is in none of these blocks' }
  return judgeOrigin(params, opened.payment, read.run, block)
}

function findBlock({ headers, from, checkpoint }: HeaderRun, merkleRoot: Uint8Array): AnchorBlock | undefined {
  const at = headers.findIndex((header) => equalBytes(header.merkleRoot, merkleRoot))
  if (at < 0) return undefined
  const behind = headers.slice(at)
  const { hash } = behind[0] as BlockHeader
  const height = from + at
  const isBelowCheckpoint = height <= checkpoint.height
  return { hash, height, depth: behind.length, work: workOf(behind), isBelowCheckpoint }
}

/** Headers that reach back to the origin show that the batch has not lapsed; those that contradict it, that it has. */
function judgeOrigin(
  params: Params,
  payment: AnchoredPayment,
  { checkpoint, headers, from }: HeaderRun,
  block: AnchorBlock,
): PaymentVerdict {
  const { origin } = payment.header
  if (!isOfAge(params, block.height, origin))
    return lapsed(`its origin, block ${origin.height}, is not of the right age`)
  const at = headers.findIndex(({ hash }) => equalBytes(hash, origin.hash))
  const isElsewhere = at >= 0 ? from + at !== origin.height : headers[origin.height - from] !== undefined
  if (isElsewhere) return lapsed(`its origin is not Bitcoin’s block ${origin.height}`)
  const unknown = from + headers.length - 1 - checkpoint.height
  return {
    ok: true,
    payment,
    block,
    reservations: reservationsOf(params, payment, block, { unknown, isOriginShown: at >= 0 }),
  }
}

function lapsed(reason: string): PaymentVerdict {
  return { ok: false, stage: 'lapsed', reason: `the batch has lapsed: ${reason}` }
}

function reservationsOf(
  params: Params,
  { header, isSecondLink, transfer }: AnchoredPayment,
  { depth, height, isBelowCheckpoint }: AnchorBlock,
  { unknown, isOriginShown }: { readonly unknown: number; readonly isOriginShown: boolean },
): Reservation[] {
  const { number, origin } = header
  const { chain, keys, windows } = params
  const all: readonly (readonly [boolean, Reservation['name'], string])[] = [
    [true, 'reorg', `Bitcoin may drop its newest ${depth} blocks or more, and the anchor with them.`],
    [
      chain !== 'main' && unknown > 0,
      'work',
      `On ${chain} blocks cost little: the last ${unknown}, behind the one that is known, may not be Bitcoin’s${isBelowCheckpoint ? '' : ', and the anchor’s is among them'}.`,
    ],
    [
      !isSecondLink,
      'chain',
      `The holder of the anchor key, or ${keys.threshold} watchers together, may have spent another output of the same script: that this is a link of the network’s one chain, all links since genesis show.`,
    ],
    [
      true,
      'null',
      `The link may be without effect: ${number} may not be its place, or the chain may wait for a resume.`,
    ],
    [
      !isOriginShown,
      'lapsed',
      `Bitcoin’s block ${origin.height}, the batch’s origin, may not be the one that it names.`,
    ],
    [
      true,
      'void',
      `Evidence, or a challenge that nobody answered, may have made batch ${number} or one before it void, or may yet: at least until block ${height + windows.dispute}. A node that follows Bitcoin knows.`,
    ],
    [
      true,
      'payer',
      `Whose cell ${transfer.from} is, and that its owner signed, is not shown; if it is not so, the batch can be made void.`,
    ],
  ]
  return all.flatMap(([applies, name, sentence]) => (applies ? [{ name, sentence }] : []))
}
