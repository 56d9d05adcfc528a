import {
  type Acknowledgement,
  type Answer,
  answer,
  overloaded,
  type Payment,
  type PaymentProof,
  type Place,
  refuse,
} from '@kedge/api'
import { RpcUnreachableError } from '@kedge/bitcoin'
import {
  decodeTransfer,
  encodePaymentProof,
  encodeReceipt,
  equalBytes,
  fromHex,
  toHex,
  transferMessage,
} from '@kedge/core'
import { absentView } from './absent.ts'
import type { HeldBatch } from './held.ts'
import type { BlockInclusion } from './inclusion.ts'
import type { Taken } from './intake.ts'
import type { Line, Standing } from './line.ts'
import { lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

export function paymentQueries(context: QueryContext): Pick<Responders, 'payment'> {
  return { payment: ({ id }) => paymentOf(context, id) }
}

async function paymentOf(context: QueryContext, id: string): Promise<Answer<Payment>> {
  const { intake, node, lookup } = context
  const taken = await intake.find(fromHex(id))
  if (taken !== undefined && node.follower.links.get(taken.number) === undefined) return answer(takenView(id, taken))
  if (!(await lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const placed = await findPlaced(context, line, id)
  if (placed === undefined) return taken === undefined ? absentView(context, line, id) : answer(takenView(id, taken))
  const { place, standing, operation } = placed
  if (standing.rung !== 'sequenced') return anchoredView(context, placed, standing, { id, ...acknowledgementOf(taken) })
  return answer({ rung: 'sequenced', id, ...place, ...acknowledgementOf(taken), operation: toHex(operation) })
}

interface Placed {
  readonly place: Place
  readonly standing: Standing
  readonly batch: HeldBatch
  readonly operation: Uint8Array
}

/** Looks into the batches: rows tell only where it may be. */
async function findPlaced({ node, lookup, held }: QueryContext, line: Line, id: string): Promise<Placed | undefined> {
  for (const place of await lookup.findSigned(line, fromHex(id))) {
    const standing = line.at(place.batch)
    const batch = standing && (await held.get(standing.headerHash))
    const operation = batch?.operations[place.index]
    if (standing === undefined || batch === undefined || operation === undefined) continue
    if (isPayment(node.network, id, operation)) return { place, standing, batch, operation }
  }
  return undefined
}

/** How far a payment has come, as its row says: without a look into the batch, and without proof. */
export async function findRung(
  context: QueryContext,
  line: Line,
  id: Uint8Array,
): Promise<Standing['rung'] | undefined> {
  const [place] = await context.lookup.findSigned(line, id)
  return place && line.at(place.batch)?.rung
}

/** Of what no batch has yet. */
export function rungOf(taken: Taken | undefined): 'pending' | 'sequenced' {
  return taken?.isPending ? 'pending' : 'sequenced'
}

function takenView(id: string, taken: Taken): Payment {
  if (taken.isPending) return { rung: 'pending', id }
  return { rung: 'sequenced', id, batch: taken.number, index: taken.index, ...acknowledgementOf(taken) }
}

export function acknowledgementOf(taken: Taken | undefined): { acknowledgement?: Acknowledgement } {
  if (taken?.receipt === undefined) return {}
  return { acknowledgement: { operation: toHex(taken.operation), receipt: toHex(encodeReceipt(taken.receipt)) } }
}

type Anchored = Extract<Standing, { rung: 'anchored' | 'final' }>

async function anchoredView(
  context: QueryContext,
  { place, batch, operation }: Placed,
  { rung, link }: Anchored,
  about: { readonly id: string; readonly acknowledgement?: Acknowledgement },
): Promise<Answer<Payment>> {
  const anchor = await findAnchor(context, link.number)
  if (!anchor.ok) return anchor
  const depth = context.node.follower.chain.height - link.height + 1
  return answer({ rung, ...about, ...place, depth, proof: await proofOf(batch, place.index, operation, anchor.value) })
}

function isPayment(network: Uint8Array, id: string, operation: Uint8Array): boolean {
  const transfer = decodeTransfer(operation)
  return transfer !== undefined && equalBytes(transferMessage(network, transfer), fromHex(id))
}

interface FoundLink {
  readonly height: number
  readonly inclusion: BlockInclusion
}

interface FoundAnchor extends FoundLink {
  /** The transaction of the link before. */
  readonly previous: Uint8Array
}

async function proofOf(
  batch: HeldBatch,
  index: number,
  operation: Uint8Array,
  { inclusion, height, previous }: FoundAnchor,
): Promise<PaymentProof> {
  const path = await batch.prove(index)
  const proof = { operation, index, path, header: batch.headerBytes, previous, anchor: inclusion }
  return { bytes: toHex(encodePaymentProof(proof)), blockHeader: toHex(inclusion.blockHeader), height }
}

/** `syncing` while Bitcoin moves, or can't be asked. */
async function findAnchor(context: QueryContext, number: number): Promise<Answer<FoundAnchor>> {
  const found = await findLink(context, number)
  if (!found.ok) return found
  // A batch is never the first link: the chain begins with a resume.
  const before = await findLink(context, number - 1)
  if (!before.ok) return before
  return answer({ ...found.value, previous: before.value.inclusion.transaction })
}

async function findLink({ node, inclusions }: QueryContext, number: number): Promise<Answer<FoundLink>> {
  const link = node.follower.links.get(number)
  const blockHash = link && node.follower.facts.blockHash(link.height)
  if (link === undefined || blockHash === undefined) return refuse('syncing')
  try {
    const found = await inclusions.find(blockHash, link.txid)
    if (found.ok) return answer({ height: link.height, inclusion: found.inclusion })
    return found.reason === 'busy' ? overloaded(RETRY_MS) : refuse('syncing')
  } catch (error) {
    if (error instanceof RpcUnreachableError) return refuse('syncing')
    throw error
  }
}
