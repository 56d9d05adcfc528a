import { taggedHash, toHex } from '@kedge/core'
import { afterEach, describe, expect, test } from 'vitest'
import { isRowValid, OPERATION_AT, ROW_BYTES, readRowId, writeRow } from '../src/rows.ts'
import { type Chunk, createVerifier, type Verifier, type VerifierOptions } from '../src/verifier.ts'
import { makeTransfer, NETWORK } from './transfers.ts'

const opened: Verifier[] = []

afterEach(async () => {
  for (const verifier of opened.splice(0)) await verifier.close()
})

async function open(options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const verifier = await createVerifier({ workers: 2, network: NETWORK, capacityRows: 64, ...options })
  opened.push(verifier)
  return verifier
}

function claim(verifier: Verifier, count: number): Chunk {
  const chunk = verifier.claim(count)
  if (chunk === undefined) throw new Error(`no room for ${count} rows`)
  return chunk
}

const transfers = Array.from({ length: 40 }, (_, n) => makeTransfer(`verifier/${n}`))

/** Row `row` of a chunk carries transfer `seed`; every seventh is tampered with. */
function put(chunk: Chunk, row: number, seed: number): void {
  const { owner, bytes } = transfers[seed % transfers.length] as (typeof transfers)[number]
  writeRow(chunk.rows, row, owner, bytes)
  if (seed % 7 === 0) chunk.rows[row * ROW_BYTES + OPERATION_AT + 58] = (bytes[58] as number) ^ 1
}

describe('verify', () => {
  test('gives 20,000 rows their ids and verdicts', { timeout: 60_000 }, async () => {
    const verifier = await open({ capacityRows: 8192 })
    expect(verifier.engine).toBe('tiny-secp256k1')
    let done = 0
    const judgeNext = async (from: number, count: number) => {
      const chunk = claim(verifier, count)
      for (let row = 0; row < count; row++) put(chunk, row, from + row)
      await verifier.verify(chunk)
      const ids = new Map<string, string>()
      for (let row = 0; row < count; row++) {
        expect(isRowValid(chunk.rows, row)).toBe((from + row) % 7 !== 0)
        const bytes = chunk.rows.slice(row * ROW_BYTES + OPERATION_AT, row * ROW_BYTES + OPERATION_AT + 174)
        const name = toHex(bytes)
        if (!ids.has(name)) ids.set(name, toHex(taggedHash('kedge/op', bytes)))
        expect(toHex(readRowId(chunk.rows, row))).toBe(ids.get(name))
      }
      verifier.release(chunk)
      done += count
    }
    for (let from = 0; from < 20_000; from += 4000)
      await Promise.all([judgeNext(from, 1500), judgeNext(from + 1500, 2500)])
    expect(done).toBe(20_000)
    expect(verifier.stats()).toMatchObject({
      claimedRows: 0,
      judgedRows: 20_000,
      queuedRows: 0,
      runningRows: 0,
      lostWorkers: 0,
    })
  })

  test('many small chunks at once, released in any order', async () => {
    const verifier = await open({ capacityRows: 300 })
    const chunks = Array.from({ length: 150 }, (_, n) => {
      const chunk = claim(verifier, 1 + (n % 3 === 0 ? 1 : 0))
      for (let row = 0; row < chunk.count; row++) put(chunk, row, n + row)
      return { chunk, n }
    })
    const settle = async ({ chunk, n }: { chunk: Chunk; n: number }) => {
      await verifier.verify(chunk)
      for (let row = 0; row < chunk.count; row++) expect(isRowValid(chunk.rows, row)).toBe((n + row) % 7 !== 0)
      verifier.release(chunk)
    }
    await Promise.all(chunks.reverse().map(settle))
    expect(verifier.stats().claimedRows).toBe(0)
  })

  test('what is urgent waits for no other rows, and has room of its own', async () => {
    const verifier = await open({ workers: 1, capacityRows: 2000, urgentRows: 4 })
    const bulk = claim(verifier, 2000)
    for (let row = 0; row < bulk.count; row++) put(bulk, row, row)
    let isBulkDone = false
    const judged = verifier.verify(bulk).then(() => {
      isBulkDone = true
    })
    expect(verifier.claim(1)).toBeUndefined()
    const urgent = verifier.claim(4, true)
    if (urgent === undefined) throw new Error('no room for what is urgent')
    expect(verifier.claim(1, true)).toBeUndefined()
    for (let row = 0; row < urgent.count; row++) put(urgent, row, row)
    await verifier.verify(urgent)
    expect(isBulkDone).toBe(false)
    expect([0, 1, 2, 3].map((row) => isRowValid(urgent.rows, row))).toEqual([false, true, true, true])
    verifier.release(urgent)
    await judged
    expect(isRowValid(bulk.rows, 1999)).toBe(1999 % 7 !== 0)
    // Nothing else to do: the other thread takes them too.
    verifier.release(bulk)
    const more = verifier.claim(6, true)
    if (more === undefined) throw new Error('the common rows are free')
    for (let row = 0; row < more.count; row++) put(more, row, row)
    await verifier.verify(more)
    expect(isRowValid(more.rows, 5)).toBe(true)
    verifier.release(more)
    expect(verifier.stats().claimedRows).toBe(0)
  })

  test('noble’s threads come to the same verdicts', async () => {
    const verifier = await open({ engine: '@noble/curves', workers: 1 })
    expect(verifier.engine).toBe('@noble/curves')
    const chunk = claim(verifier, 30)
    for (let row = 0; row < 30; row++) put(chunk, row, row)
    await verifier.verify(chunk)
    expect(Array.from({ length: 30 }, (_, row) => isRowValid(chunk.rows, row))).toEqual(
      Array.from({ length: 30 }, (_, row) => row % 7 !== 0),
    )
  })

  test('a signature for another network is not valid', async () => {
    const verifier = await open({ network: new Uint8Array(32) })
    const chunk = claim(verifier, 1)
    put(chunk, 0, 1)
    await verifier.verify(chunk)
    expect(isRowValid(chunk.rows, 0)).toBe(false)
  })
})

describe('claims', () => {
  test('are refused when there is no room, and granted again once the oldest is released', async () => {
    const verifier = await open({ capacityRows: 10 })
    const [first, second] = [claim(verifier, 6), claim(verifier, 4)]
    expect(verifier.claim(1)).toBeUndefined()
    expect(verifier.stats()).toMatchObject({ claimedRows: 10, capacityRows: 10 })
    verifier.release(second)
    expect(verifier.claim(1)).toBeUndefined()
    verifier.release(first)
    expect(claim(verifier, 10).count).toBe(10)
  })

  test('give zeroed rows: nothing of an earlier holder is left', async () => {
    const verifier = await open({ capacityRows: 4 })
    const chunk = claim(verifier, 4)
    for (let row = 0; row < 4; row++) put(chunk, row, row + 1)
    await verifier.verify(chunk)
    expect(isRowValid(chunk.rows, 0)).toBe(true)
    verifier.release(chunk)
    expect(claim(verifier, 4).rows.every((byte) => byte === 0)).toBe(true)
  })

  test('that could never be served are mistakes', async () => {
    const verifier = await open({ capacityRows: 4 })
    for (const count of [0, -1, 1.5, 5, Number.NaN]) expect(() => verifier.claim(count)).toThrow(RangeError)
  })

  test('can’t be released or verified during a check, nor after their release', async () => {
    const verifier = await open()
    const chunk = claim(verifier, 2)
    const verified = verifier.verify(chunk)
    expect(() => verifier.release(chunk)).toThrow('being verified')
    await expect(verifier.verify(chunk)).rejects.toThrow('being verified')
    await verified
    verifier.release(chunk)
    expect(() => verifier.release(chunk)).toThrow('released')
    await expect(verifier.verify(chunk)).rejects.toThrow('released')
  })
})

describe('options', () => {
  test('out of range are refused', async () => {
    for (const wrong of [{ workers: 0 }, { workers: 1.5 }, { capacityRows: 0 }, { network: new Uint8Array(31) }]) {
      await expect(open(wrong)).rejects.toThrow(RangeError)
    }
  })

  test('engine none wants to be told that it is for a benchmark, and says aloud what it is', async () => {
    await expect(open({ engine: 'none' })).rejects.toThrow('benchmarkOnly')
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const verifier = await open({ engine: 'none', benchmarkOnly: true })
    expect((await warned).message).toContain('NOT checked')
    expect(verifier.engine).toContain('NOT CHECKED')
    const chunk = claim(verifier, 1)
    put(chunk, 0, 7)
    await verifier.verify(chunk)
    expect(isRowValid(chunk.rows, 0)).toBe(true)
  })
})

test('close while busy rejects with a typed error and leaves no thread', async () => {
  const verifier = await open({ capacityRows: 2000 })
  const chunk = claim(verifier, 2000)
  for (let row = 0; row < 2000; row++) put(chunk, row, row)
  const verified = verifier.verify(chunk).catch((error: unknown) => error)
  await verifier.close()
  expect(await verified).toMatchObject({ name: 'VerifierError', reason: 'closed' })
  expect(isRowValid(chunk.rows, 1)).toBe(false)
  verifier.release(chunk)
  await expect(verifier.verify(claim(verifier, 1))).rejects.toMatchObject({ reason: 'closed' })
})
