import { ApiError, type Client } from '@kedge/api'
import { readTip } from '@kedge/bitcoin'
import { fromHex, hashTwice } from '@kedge/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BlockHeaders } from '../src/block-headers.ts'
import { clientOfNode } from './client.ts'
import { Rollup, secretOf } from './ground.ts'

let rollup: Rollup

beforeAll(async () => {
  rollup = await Rollup.start()
  await rollup.mine(4)
})

afterAll(() => rollup.stop())

describe('a node', () => {
  it('shows Bitcoin’s headers from any height that it has read, each time the same', async () => {
    const node = await rollup.openNode('headers')
    await node.advance()
    const client = clientOfNode(node)
    const { height, hash } = await readTip(rollup.bitcoind.rpc)
    const { scanHeight } = rollup.params
    const { headers } = await client.blockHeaders({ height: scanHeight, limit: 200 })
    const bytes = fromHex(headers)
    expect(bytes).toHaveLength(80 * (height - scanHeight + 1))
    expect(hashTwice(bytes.slice(-80))).toEqual(hash)
    const [last, pages] = await Promise.all([client.blockHeaders({ height, limit: 9 }), pagesOf(client, scanHeight)])
    expect(last.headers).toBe(headers.slice(-160))
    expect(pages).toBe(headers)
    for (const absent of [0, scanHeight - 1, height + 1])
      await expect(client.blockHeaders({ height: absent })).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('block headers', () => {
  it('are asked for in a few requests at once, and kept', async () => {
    const { rpc } = rollup.bitcoind
    const { hash } = await readTip(rpc)
    const headers = new BlockHeaders(rpc)
    const read = await Promise.all([1, 2, 3, 4].map(() => headers.read([hash])))
    expect(read.map((bytes) => bytes?.length)).toEqual([80, 80, 80, undefined])
    expect(await headers.read([hash, hash])).toHaveLength(160)
    await expect(headers.read([hash, secretOf(5)])).rejects.toMatchObject({ name: 'RpcError' })
    expect(await headers.read([hash])).toEqual(read[0])
  })
})

/** All headers from a height on, two at a time. */
async function pagesOf(client: Client, from: number): Promise<string> {
  const page = await client.blockHeaders({ height: from, limit: 2 })
  return page.headers.length < 320 ? page.headers : page.headers + (await pagesOf(client, from + 2).catch(endOf))
}

/** Behind the tip there is nothing. */
function endOf(error: unknown): string {
  if (error instanceof ApiError && error.code === 'not-found') return ''
  throw error
}
