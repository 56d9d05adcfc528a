import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  buildHeader,
  concatBytes,
  type DataKind,
  decodePart,
  encodeParts,
  encodeWhole,
  merkleRoot,
  operationId,
  stepLeaves,
  ZERO_HASH,
} from '@kedge/core'
import type { FetchOptions } from '@kedge/p2p'
import { Store } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BatchData, type FetchData } from '../src/data.ts'

const hash = (seed: number) => new Uint8Array(32).fill(seed)
const OPERATIONS = Array.from({ length: 9 }, (_, at) => new Uint8Array(17).fill(at))
const STEP_ROOTS = concatBytes(...OPERATIONS.map((_, at) => hash(at + 1)))

const { bytes: headerBytes, hash: headerHash } = buildHeader(
  { network: hash(90), number: 7, parent: ZERO_HASH, origin: { height: 5, hash: hash(91) } },
  {
    pre: ZERO_HASH,
    post: hash(9),
    opsRoot: merkleRoot(concatBytes(...OPERATIONS.map(operationId))),
    stepsRoot: merkleRoot(stepLeaves(ZERO_HASH, STEP_ROOTS)),
    operations: OPERATIONS,
  },
  { nonceRoot: hash(92), prevSig: new Uint8Array(96) },
)
const SOURCE = { headerBytes, pre: ZERO_HASH, operations: OPERATIONS, stepRoots: STEP_ROOTS }

const nobody: FetchData = () => Promise.resolve(undefined)
const { signal } = new AbortController()

let folder: string
let made = 0
const stores: Store[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-data-'))
})

afterAll(async () => {
  for (const store of stores) await store.close()
  await rm(folder, { recursive: true })
})

async function emptyStore(): Promise<Store> {
  const store = await Store.open(join(folder, String(made++)), hash(90))
  stores.push(store)
  return store
}

/** Parts of so many leaves each, as blocks would show them. */
async function publish(store: Store, data: DataKind, limit: number, keep: (start: number) => boolean): Promise<void> {
  const batches = new BatchData(store, nobody)
  for (const bytes of encodeParts(data, SOURCE, limit)) {
    const part = decodePart(data, headerHash, bytes)
    if (part === undefined) throw new Error('no part')
    const event = { kind: 'part' as const, number: 7, headerHash, data, part, txid: hash(1) }
    if (keep(part.start)) await store.commit(batches.writesOfPart(event))
  }
}

describe('parts published on Bitcoin', () => {
  it('make up the whole, however they overlap and in whatever order they came', async () => {
    for (const data of ['data', 'steps'] as const) {
      const store = await emptyStore()
      const batches = new BatchData(store, nobody)
      const read = async () =>
        data === 'data' ? (await batches.body(headerHash, signal))?.operations : batches.stepRoots(headerHash, signal)
      await publish(store, data, 8, (start) => start === 0)
      // Single leaves, each beginning where a longer part does.
      await publish(store, data, 1, (start) => start === 0 || start === 3)
      expect(await read()).toBeUndefined()
      await publish(store, data, 3, (start) => start === 6)
      expect(await read()).toEqual(data === 'data' ? OPERATIONS : STEP_ROOTS)
    }
  })

  it('leave a gap where they do', async () => {
    const store = await emptyStore()
    await publish(store, 'data', 2, (start) => start !== 4)
    expect(await new BatchData(store, nobody).body(headerHash, signal)).toBeUndefined()
  })
})

describe('data from peers', () => {
  it('are kept only whole, and only if they prove themselves', async () => {
    const store = await emptyStore()
    const offered: Uint8Array[] = []
    const fetch = (_: unknown, { accept }: FetchOptions) => Promise.resolve(offered.find(accept))
    const batches = new BatchData(store, fetch)
    const whole = encodeWhole('data', SOURCE)
    const wrong = whole.slice()
    wrong[wrong.length - 3] = 99
    offered.push(new Uint8Array(0), wrong, ...encodeParts('data', SOURCE, 8), encodeWhole('steps', SOURCE))
    expect(await batches.body(headerHash, signal)).toBeUndefined()
    offered.push(whole)
    expect((await batches.body(headerHash, signal))?.operations).toEqual(OPERATIONS)
    expect(await batches.answer(headerHash, 'data')).toEqual(whole)
    expect(await batches.answer(headerHash, 'header')).toEqual(headerBytes)
  })

  it('are waited for beside other work, and are late at most as long as peers are being asked', async () => {
    const store = await emptyStore()
    let send: (bytes: Uint8Array | undefined) => void = () => undefined
    let asked = 0
    const fetch = async (_: unknown, { accept }: FetchOptions) => {
      asked++
      const bytes = await new Promise<Uint8Array | undefined>((resolve) => {
        send = resolve
      })
      return bytes !== undefined && accept(bytes) ? bytes : undefined
    }
    const batches = new BatchData(store, fetch)
    const start = performance.now()
    expect(await batches.body(headerHash, signal)).toBeUndefined()
    expect(await batches.body(headerHash, signal, 10)).toBeUndefined()
    expect(performance.now() - start).toBeLessThan(5_000)
    expect([asked, batches.wasSought(headerHash, 'data')]).toEqual([1, false])
    send(undefined)
    await expect.poll(() => batches.wasSought(headerHash, 'data')).toBe(true)
    expect(await batches.body(headerHash, signal, 10)).toBeUndefined()
    send(encodeWhole('data', SOURCE))
    await expect.poll(() => batches.wasSought(headerHash, 'data')).toBe(false)
    expect((await batches.body(headerHash, signal))?.operations).toEqual(OPERATIONS)
    expect(asked).toBe(2)
  })

  it('are given up when the node stops', async () => {
    const stopping = new AbortController()
    const fetch = async (_: unknown, options: FetchOptions) => {
      await sleep(60_000, undefined, { signal: options.signal })
      return undefined
    }
    const asked = new BatchData(await emptyStore(), fetch).body(headerHash, stopping.signal)
    setTimeout(() => stopping.abort(new Error('stopping')), 20)
    await expect(asked).rejects.toThrow('stopping')
  })
})
