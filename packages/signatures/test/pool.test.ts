import { describe, expect, test } from 'vitest'
import { Pool, VerifierError } from '../src/pool.ts'
import { isRowValid, OPERATION_AT, ROW_BYTES, STATUS_AT, writeRow } from '../src/rows.ts'
import { makeTransfer, NETWORK } from './transfers.ts'

const FAULTY = new URL('./faulty-worker.mjs', import.meta.url)
const transfers = Array.from({ length: 8 }, (_, n) => makeTransfer(`pool/${n}`))

/** Each third row is tampered with. */
const isRight = (row: number) => row % 3 !== 0

function fillRows(count: number): { readonly memory: SharedArrayBuffer; readonly rows: Uint8Array } {
  const memory = new SharedArrayBuffer(count * ROW_BYTES)
  const rows = new Uint8Array(memory)
  for (let row = 0; row < count; row++) {
    const { owner, bytes } = transfers[row % transfers.length] as (typeof transfers)[number]
    writeRow(rows, row, owner, bytes)
    if (!isRight(row)) rows[row * ROW_BYTES + OPERATION_AT + 80] = (bytes[80] as number) ^ 1
  }
  return { memory, rows }
}

interface World {
  readonly rows: Uint8Array
  readonly pool: Pool
  /** The thread that comes upon `row` has this accident, `times` times. */
  readonly fault: (row: number, kind: number, times: number) => void
  readonly verdicts: (start?: number, count?: number) => (number | undefined)[]
}

async function withPool(
  count: number,
  run: (world: World) => Promise<void>,
  settings: { file?: URL; fixedMs?: number } = {},
) {
  const { memory, rows } = fillRows(count)
  const setup = { memory, network: NETWORK, engine: 'tiny-secp256k1', sliceRows: 16 } as const
  const { file = FAULTY, fixedMs = 5000 } = settings
  const pool = new Pool({ workers: 2, hasUrgent: false, workerFile: file, setup, fixedMs, rowMs: 20 })
  await pool.start()
  try {
    await run({
      rows,
      pool,
      fault: (row, kind, times) => rows.set([kind, times], row * ROW_BYTES + 240),
      verdicts: (start = 0, length = count) =>
        Array.from({ length }, (_, row) => rows[(start + row) * ROW_BYTES + STATUS_AT]),
    })
  } finally {
    await pool.close()
  }
}

const expected = (count: number, start = 0) => Array.from({ length: count }, (_, row) => (isRight(start + row) ? 1 : 2))

describe('a thread that fails is replaced and its rows are judged again', () => {
  const accidents = [
    { kind: 1, name: 'exits', loss: 'exited with code 7' },
    { kind: 3, name: 'throws', loss: 'out of order' },
    { kind: 4, name: 'dies half-way with rows marked valid', loss: 'exited with code 0' },
    { kind: 5, name: 'answers nonsense', loss: 'without having judged' },
    { kind: 6, name: 'claims to be done', loss: 'without having judged' },
  ]
  test.each(accidents)('when it $name', async ({ kind, loss }) => {
    await withPool(100, async ({ pool, fault, verdicts }) => {
      fault(9, kind, 2)
      fault(70, kind, 1)
      await pool.judge(0, 100)
      expect(verdicts()).toEqual(expected(100))
      expect(pool.stats()).toMatchObject({ queuedRows: 0, runningRows: 0, judgedRows: 100, lostWorkers: 3 })
      const { lastLoss } = pool.stats()
      expect(`${lastLoss} ${lastLoss?.cause}`).toContain(loss)
    })
  })

  test('when it hangs', async () => {
    const settings = { fixedMs: 800 }
    await withPool(
      40,
      async ({ pool, fault, verdicts }) => {
        fault(20, 2, 1)
        await pool.judge(0, 40)
        expect(verdicts()).toEqual(expected(40))
        expect(pool.stats().lostWorkers).toBe(1)
        expect(pool.stats().lastLoss?.message).toContain('did not answer in time')
      },
      settings,
    )
  })

  test('when it speaks unasked', async () => {
    await withPool(30, async ({ pool, fault, verdicts }) => {
      fault(5, 7, 1)
      await pool.judge(0, 30)
      await pool.judge(0, 30)
      expect(verdicts()).toEqual(expected(30))
      // Its second word may come only after both answers.
      await expect.poll(() => pool.stats().lostWorkers, { timeout: 5000 }).toBe(1)
      expect(verdicts()).toEqual(expected(30))
    })
  })
})

test('a thread is not blamed when it was this one that had no time to read its answer', async () => {
  const settings = { fixedMs: 150 }
  await withPool(
    4,
    async ({ pool, verdicts }) => {
      const judged = pool.judge(0, 4)
      const end = performance.now() + 600
      while (performance.now() < end);
      await judged
      expect(verdicts()).toEqual(expected(4))
      expect(pool.stats().lostWorkers).toBe(0)
    },
    settings,
  )
})

describe('rows that cost three threads', () => {
  test('are given up with a typed error, and none of the chunk reads as judged', async () => {
    await withPool(100, async ({ rows, pool, fault, verdicts }) => {
      fault(50, 4, 255)
      const error = await pool.judge(0, 100).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(VerifierError)
      expect(error).toMatchObject({ reason: 'workers-failed', cause: expect.objectContaining({ name: 'LostWorker' }) })
      expect(verdicts()).toEqual(new Array(100).fill(0))
      expect(isRowValid(rows, 1)).toBe(false)
      expect(pool.stats()).toMatchObject({ queuedRows: 0, runningRows: 0, lostWorkers: 3 })

      fault(50, 0, 0)
      await pool.judge(0, 100)
      expect(verdicts()).toEqual(expected(100))
    })
  })

  test('do not take other chunks with them', async () => {
    await withPool(96, async ({ pool, fault, verdicts }) => {
      fault(40, 1, 255)
      const results = await Promise.allSettled([pool.judge(0, 32), pool.judge(32, 32), pool.judge(64, 32)])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(verdicts(0, 32)).toEqual(expected(32))
      expect(verdicts(64, 32)).toEqual(expected(32, 64))
    })
  })
})

test('a verdict left by an earlier check of the rows does not count', async () => {
  await withPool(10, async ({ rows, pool, fault, verdicts }) => {
    await pool.judge(0, 10)
    rows[OPERATION_AT + 80] = (rows[OPERATION_AT + 80] as number) ^ 1
    fault(0, 6, 1)
    await pool.judge(0, 10)
    expect(verdicts()).toEqual([3 - (expected(1)[0] as number), ...expected(9, 1)])
  })
})

describe('close', () => {
  test('rejects what is queued and what runs, and then nobody writes any more', async () => {
    await withPool(2000, async ({ rows, pool, verdicts }) => {
      const jobs = [0, 500, 1000, 1500].map((start) => pool.judge(start, 500).catch((error: unknown) => error))
      expect(pool.stats().queuedRows + pool.stats().runningRows).toBe(2000)
      await new Promise((resolve) => setTimeout(resolve, 20))
      await pool.close()
      for (const error of await Promise.all(jobs))
        expect(error).toMatchObject({ name: 'VerifierError', reason: 'closed' })
      expect(verdicts()).toEqual(new Array(2000).fill(0))
      const before = rows.slice()
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(Buffer.compare(rows, before)).toBe(0)
      expect(pool.stats()).toMatchObject({ queuedRows: 0, runningRows: 0, lostWorkers: 0 })
    })
  })

  test('ends a hanging thread and may be called again', async () => {
    await withPool(32, async ({ pool, fault }) => {
      fault(3, 2, 1)
      const job = pool.judge(0, 32).catch((error: unknown) => error)
      await new Promise((resolve) => setTimeout(resolve, 100))
      await Promise.all([pool.close(), pool.close()])
      expect(await job).toMatchObject({ reason: 'closed' })
      await expect(pool.judge(0, 1)).rejects.toMatchObject({ reason: 'closed' })
    })
  })
})

test('threads that do not start are an error, not a wait', async () => {
  const missing = new URL('./no-such-worker.mjs', import.meta.url)
  const opened = withPool(1, async () => undefined, { file: missing })
  await expect(opened).rejects.toMatchObject({ name: 'VerifierError', reason: 'workers-failed' })
})
