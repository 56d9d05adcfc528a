import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHeader, encodeWhole, headerHash, MerkleLog, merkleRoot, operationId, ZERO_HASH } from '@kedge/core'
import { headers, operations, Store } from '@kedge/storage'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { HeldBatches } from '../src/held.ts'

let folder: string
let store: Store
const hashes: Uint8Array[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-held-'))
  store = await Store.open(folder, ZERO_HASH)
  for (let number = 1; number <= 12; number++) hashes.push(await storeBatch(number, 5_000))
})

afterAll(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

/** A batch as it lies on disk: of what it says nobody asks here. */
async function storeBatch(number: number, count: number): Promise<Uint8Array> {
  const held = Array.from({ length: count }, (_, index) => Uint8Array.of(1, number, index >> 8, index & 255))
  const ids = held.flatMap((bytes) => [...operationId(bytes)])
  const zeros = { parent: ZERO_HASH, pre: ZERO_HASH, post: ZERO_HASH, stepsRoot: ZERO_HASH, nonceRoot: ZERO_HASH }
  const prevSig = new Uint8Array(96)
  const fields = { network: ZERO_HASH, number, origin: { height: 1, hash: ZERO_HASH }, opCount: count }
  const header = encodeHeader({ ...zeros, ...fields, prevSig, opsRoot: merkleRoot(Uint8Array.from(ids)) })
  const hash = headerHash(header)
  await store.commit([
    headers.put(hash, header),
    operations.put(
      hash,
      encodeWhole('data', { headerBytes: header, pre: ZERO_HASH, operations: held, stepRoots: new Uint8Array(0) }),
    ),
  ])
  return hash
}

it('is read once for all who ask at the same time', async () => {
  const held = new HeldBatches(store)
  const [first] = hashes as [Uint8Array]
  const got = await Promise.all(Array.from({ length: 20 }, () => held.get(first)))
  expect(new Set(got).size).toBe(1)
  expect(got[0]?.operations.length).toBe(5_000)
  expect(await held.get(ZERO_HASH)).toBeUndefined()
})

it('is proven while many others are asked for', async () => {
  const held = new HeldBatches(store)
  await Promise.all(
    hashes.flatMap((hash) =>
      [0, 4_999].map(async (index) => {
        const batch = await held.get(hash)
        const log = new MerkleLog()
        for (const bytes of batch?.operations ?? []) log.append(operationId(bytes))
        expect(await batch?.prove(index)).toEqual(log.prove(index))
      }),
    ),
  )
})
