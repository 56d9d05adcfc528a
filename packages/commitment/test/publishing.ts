import {
  type Anchor,
  batchAnchor,
  concatBytes,
  type DataKind,
  dataCarrier,
  decodeMessage,
  encodeHeader,
  equalBytes,
  GENESIS_ROOT,
  headerHash,
  type L1Transaction,
  merkleRoot,
  networkId,
  operationId,
  type PartSource,
  readPieces,
  taggedHash,
} from '@kedge/core'
import { type PublicationRecord, publications } from '@kedge/storage'
import { expect } from 'vitest'
import type { Publisher } from '../src/index.ts'
import { publicationId } from '../src/publication.ts'
import { anchorOf, bind, type World } from './world.ts'

/** What tests of publications do and look at. */

/** Wide enough for every test to happen while the batch can be accused. */
export const WINDOWS = { staleness: 300, challenge: 200, answer: 200, proof: 201, dispute: 500, takeover: 900 }

/** Bytes that don't repeat. */
export function noise(seed: string, size: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, at) =>
    taggedHash(seed, Uint8Array.of(at & 255, at >> 8)),
  )
  return concatBytes(...blocks).subarray(0, size)
}

export interface TestBatch {
  readonly anchor: Anchor
  readonly source: PartSource
}

/** A batch of `count` operations that say nothing, all of the greatest length, on genesis. */
function batchOf(world: World, number: number, count: number): TestBatch {
  const operations = Array.from({ length: count }, (_, at) => noise(`operation ${at}`, 174))
  const { height, hash } = world.chain
  const headerBytes = encodeHeader({
    network: networkId(world.params),
    number,
    parent: new Uint8Array(32),
    origin: { height, hash },
    pre: GENESIS_ROOT,
    post: GENESIS_ROOT,
    opsRoot: merkleRoot(concatBytes(...operations.map(operationId))),
    stepsRoot: new Uint8Array(32).fill(3),
    opCount: count,
    nonceRoot: new Uint8Array(32),
    prevSig: new Uint8Array(96),
  })
  const anchor = batchAnchor(
    { parent: new Uint8Array(32), origin: { height, hash }, post: GENESIS_ROOT },
    headerHash(headerBytes),
  )
  return { anchor, source: { headerBytes, pre: GENESIS_ROOT, operations, stepRoots: new Uint8Array(32 * count) } }
}

/** A chain that is active, with one batch. */
export async function withBatch(world: World, count: number): Promise<TestBatch> {
  const keeper = await world.keeper()
  await bind(world, keeper, 1, anchorOf(1))
  await keeper.advance(world.chain)
  await world.mine()
  const batch = batchOf(world, 2, count)
  await bind(world, keeper, 2, batch.anchor)
  await keeper.advance(world.chain)
  await world.mine()
  expect(world.chain.line.map(({ number }) => number)).toEqual([2])
  return batch
}

/** Those of the newest block that carry a message about the batch, and what it is. */
export function messagesIn(world: World): { readonly kind: string; readonly transaction: L1Transaction }[] {
  return world.newest.transactions.flatMap((transaction) => {
    const payload = transaction.outputs.map(({ script }) => dataCarrier(script)).find((found) => found !== undefined)
    const message = payload && decodeMessage(payload)
    return message === undefined ? [] : [{ kind: message.kind, transaction }]
  })
}

export function recordOf(
  world: World,
  request: Parameters<Publisher['publish']>[0],
): Promise<PublicationRecord | undefined> {
  const blank = { state: 'live', commits: [], replaced: [] } as const
  const body = request.kind === 'challenge' ? new Uint8Array(0) : request.body
  const { kind, headerHash: hash } = request
  const data: { data?: DataKind } = request.kind === 'evidence' ? {} : { data: request.data }
  return world.store.get(publications, publicationId({ kind, headerHash: hash, ...data, body, ...blank }))
}

/** Whether the body is in the newest block, and that once only. */
export function isMined(world: World, body: Uint8Array): boolean {
  return messagesIn(world).filter(({ transaction }) => equalBytes(readPieces(transaction), body)).length === 1
}

/** Evidence that proves nothing, so that its batch lives on. */
export function evidenceOn(batch: TestBatch, seed: string, size = 2_000) {
  return { kind: 'evidence', headerHash: batch.anchor.headerHash, body: noise(seed, size) } as const
}
