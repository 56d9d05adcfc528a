import { callRpc, coinKey, printHash, readBlockHash, readRawBlock, readTip } from '@kedge/bitcoin'
import { concatBytes, hashTwice, readInclusion, reverseBytes, toHex, Writer } from '@kedge/core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ForeignBlockError, findInBlock, Inclusions } from '../src/inclusion.ts'
import { Rollup, secretOf } from './ground.ts'

/** A transaction with and without its witnesses. */
interface Both {
  readonly raw: Uint8Array
  readonly stripped: Uint8Array
}

function size(writer: Writer, count: number): Writer {
  if (count < 0xfd) return writer.u8(count)
  return count <= 0xffff ? writer.u8(0xfd).u16(count) : writer.u8(0xfe).u32(count)
}

function sized(writer: Writer, bytes: Uint8Array): Writer {
  return size(writer, bytes.length).fixed(bytes, bytes.length)
}

interface Shape {
  readonly inputs: readonly { readonly script: Uint8Array; readonly witness: readonly Uint8Array[] }[]
  readonly outputs: readonly Uint8Array[]
  readonly tag: number
}

function transactionOf({ inputs: all, outputs, tag }: Shape, isCoinbase = false): Both {
  const inputs = isCoinbase ? all.slice(0, 1) : all
  const body = size(new Writer(), inputs.length)
  for (const { script } of inputs) {
    const outpoint = isCoinbase ? body.zeros(32).u32(0xffffffff) : body.hash(secretOf(tag)).u32(tag)
    sized(outpoint, script).u32(0xfffffffd)
  }
  size(body, outputs.length)
  for (const script of outputs) sized(body.u64(5n), script)
  const witness = new Writer()
  for (const input of inputs) {
    size(witness, input.witness.length)
    for (const item of input.witness) sized(witness, item)
  }
  const hasWitness = inputs.some((input) => input.witness.length > 0)
  const [version, lock] = [new Writer().u32(2).bytes, new Writer().u32(tag).bytes]
  const stripped = concatBytes(version, body.bytes, lock)
  const raw = hasWitness ? concatBytes(version, Uint8Array.of(0, 1), body.bytes, witness.bytes, lock) : stripped
  return { raw, stripped }
}

/** The root as Bitcoin defines it, level by level. */
function rootOf(txids: readonly Uint8Array[]): Uint8Array {
  const [first, second] = txids
  if (first === undefined || second === undefined) return first ?? secretOf(0)
  const pairs = txids.flatMap((left, at) => (at % 2 === 0 ? [hashTwice(concatBytes(left, txids[at + 1] ?? left))] : []))
  return rootOf(pairs)
}

function blockOf(transactions: readonly Both[]): Uint8Array {
  const root = rootOf(transactions.map(({ stripped }) => hashTwice(stripped)))
  const header = concatBytes(secretOf(1), Uint8Array.of(1, 2, 3, 4), root, new Uint8Array(12))
  const count = size(new Writer(), transactions.length)
  return concatBytes(header, count.bytes, ...transactions.map(({ raw }) => raw))
}

const bytes = fc.uint8Array({ maxLength: 300 })
const shape: fc.Arbitrary<Shape> = fc.record({
  inputs: fc.array(fc.record({ script: bytes, witness: fc.array(bytes, { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  outputs: fc.array(bytes, { minLength: 1, maxLength: 4 }),
  tag: fc.nat(200),
})

describe('an inclusion proof', () => {
  it('leads from any transaction, without its witnesses, to the root that Bitcoin defines', () => {
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 20 }), fc.nat(), (shapes, pick) => {
        const transactions = shapes.map((each, tag) => transactionOf({ ...each, tag }, tag === 0))
        const raw = blockOf(transactions)
        const index = pick % transactions.length
        const wanted = transactions[index]?.stripped ?? new Uint8Array(0)
        const inclusion = findInBlock(raw, hashTwice(wanted))
        const coinbase = transactions[0]?.stripped
        expect(inclusion).toMatchObject({ index, transaction: wanted, coinbase, blockHeader: raw.slice(0, 80) })
        if (inclusion === undefined || index === 0) return
        const read = readInclusion(inclusion)
        // So long is a node of the tree, and none is taken for a transaction.
        const isNode = [wanted, inclusion.coinbase].some(({ length }) => length === 64)
        expect(read.ok ? read.root : read.reason).toEqual(isNode ? 'the bytes are no transaction' : raw.slice(36, 68))
      }),
    )
  })

  it('is not made from bytes that are no block', () => {
    const whole = blockOf(
      [1, 2, 3].map((tag) =>
        transactionOf({ inputs: [{ script: secretOf(tag), witness: [secretOf(9)] }], outputs: [secretOf(tag)], tag }),
      ),
    )
    const judge = (raw: Uint8Array): 'made' | 'absent' | 'refused' => {
      try {
        return findInBlock(raw, secretOf(250)) === undefined ? 'absent' : 'made'
      } catch (error) {
        if (error instanceof ForeignBlockError) return 'refused'
        throw error
      }
    }
    expect(judge(whole)).toBe('absent')
    for (let length = 0; length < whole.length; length++) expect(judge(whole.slice(0, length))).toBe('refused')
    expect(judge(concatBytes(whole, Uint8Array.of(0)))).toBe('refused')
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255), size: fc.constantFrom(1, 4, 9) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const raw = whole.slice()
        for (const { at, to, size: run } of changes) raw.fill(to, at, at + run)
        expect(['absent', 'refused']).toContain(judge(raw))
      }),
      { numRuns: 2000 },
    )
  })

  it('is not made of a block whose transactions are not its header’s', () => {
    const [one, two] = [1, 2].map((tag) =>
      transactionOf({ inputs: [{ script: secretOf(tag), witness: [] }], outputs: [], tag }),
    )
    const raw = blockOf([one as Both, two as Both])
    raw[40] = (raw[40] as number) ^ 1
    expect(() => findInBlock(raw, hashTwice(one?.raw ?? raw))).toThrow(ForeignBlockError)
  })
})

describe('inclusions', () => {
  let rollup: Rollup

  beforeAll(async () => {
    rollup = await Rollup.start()
  })

  afterAll(() => rollup.stop())

  it('agree with bitcoind over blocks of many sizes', async () => {
    const { bitcoind } = rollup
    const inclusions = new Inclusions(bitcoind.rpc)
    for (const payments of [0, 1, 2, 3, 6]) {
      for (let at = 0; at < payments; at++) await bitcoind.fund(coinKey(secretOf(70)).script, 10_000n)
      await bitcoind.mine(1)
      const { hash } = await readTip(bitcoind.rpc)
      const told = (await callRpc(bitcoind.rpc, 'getblock', [printHash(hash), 1])) as {
        tx: string[]
        merkleroot: string
      }
      expect(told.tx).toHaveLength(payments + 1)
      for (const [index, txid] of told.tx.entries()) {
        const wanted = reverseBytes(Uint8Array.from(Buffer.from(txid, 'hex')))
        const found = await inclusions.find(hash, wanted)
        if (!found.ok) throw new Error(found.reason)
        expect(found.inclusion.index).toBe(index)
        expect(hashTwice(found.inclusion.transaction)).toEqual(wanted)
        if (index === 0) continue
        const read = readInclusion(found.inclusion)
        expect(read.ok && toHex(reverseBytes(read.root))).toBe(told.merkleroot)
      }
      expect(await inclusions.find(hash, secretOf(3))).toEqual({ ok: false, reason: 'elsewhere' })
    }
  })

  it('are read a few at once, and each once', async () => {
    const inclusions = new Inclusions(rollup.bitcoind.rpc)
    const hashes = await Promise.all([1, 2, 3, 4].map((height) => readBlockHash(rollup.bitcoind.rpc, height)))
    const blocks = hashes.map((hash) => hash ?? new Uint8Array(32))
    const txids = await Promise.all(
      blocks.map(async (hash) => {
        const raw = await readRawBlock(rollup.bitcoind.rpc, hash)
        return raw.slice(36, 68)
      }),
    )
    const ask = (at: number) => inclusions.find(blocks[at] as Uint8Array, txids[at] as Uint8Array)
    // A block of one transaction has that one's txid as its root.
    const first = await Promise.all([ask(0), ask(0), ask(1), ask(2), ask(3)])
    expect(first.map((found) => (found.ok ? 'found' : found.reason))).toEqual([
      'found',
      'found',
      'found',
      'found',
      'busy',
    ])
    const [again, other] = await Promise.all([ask(0), ask(3)])
    expect(again.ok && first[0]?.ok && again.inclusion === first[0].inclusion).toBe(true)
    expect(other.ok).toBe(true)
  })

  it('are asked for again after a failure', async () => {
    const { rpc } = rollup.bitcoind
    const { hash } = await readTip(rpc)
    const wrong = secretOf(66)
    const inclusions = new Inclusions(rpc)
    await expect(inclusions.find(wrong, wrong)).rejects.toMatchObject({ name: 'RpcError' })
    await expect(inclusions.find(wrong, wrong)).rejects.toMatchObject({ name: 'RpcError' })
    expect((await inclusions.find(hash, wrong)).ok).toBe(false)
  })
})
