import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lookups, Store, type Write } from '@kedge/storage'
import { expect, it } from 'vitest'
import { paymentKey, RowList } from '../src/lookup-rows.ts'
import { LookupRuns } from '../src/lookup-runs.ts'

/** Kind of the keys behind which rows lie. */
const BLOCK = 1

const idOf = (number: number) => new Uint8Array(32).fill(number)
const search = (number: number) => ({ key: paymentKey(idOf(number)), before: undefined, enough: 1, counts: () => true })

it('ids that nobody knows are looked for in memory, however many are asked for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-lookup-'))
  const store = await Store.open(folder, new Uint8Array(32))
  try {
    const runs = await LookupRuns.load(store)
    for (let number = 1; number <= 50; number++) {
      const rows = new RowList(1)
      rows.add(paymentKey(idOf(2 * number)), number, 0)
      await runs.add({ number, headerHash: idOf(number) }, rows.sorted())
    }
    expect(await runs.find(search(255))).toEqual([])
    const blocks: Write[] = []
    for await (const [key] of store.range(lookups)) if (key[0] === BLOCK) blocks.push(lookups.del(key))
    expect(blocks).toHaveLength(50)
    await store.commit(blocks)
    for (let number = 1; number <= 50; number++) {
      expect(await runs.find(search(2 * number + 1))).toEqual([])
      expect(await runs.find(search(2 * number))).toEqual([{ batch: number, index: 0 }])
    }
    await runs.dropLast()
    expect(await runs.find(search(100))).toEqual([])
    const rows = new RowList(1)
    rows.add(paymentKey(idOf(100)), 50, 7)
    await runs.add({ number: 50, headerHash: idOf(51) }, rows.sorted())
    expect(await runs.find(search(100))).toEqual([{ batch: 50, index: 7 }])
  } finally {
    await store.close()
    await rm(folder, { recursive: true })
  }
})
