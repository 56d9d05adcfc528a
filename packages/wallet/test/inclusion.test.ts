import { concatBytes, equalBytes } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BlockProof, verifyInclusion } from '../src/inclusion.ts'
import { coinbase, doubleSha256, merklePath, mineBlock, provenIn, rawTransaction } from './chain.ts'

const transactionOf = (seed: number) =>
  rawTransaction(
    [{ txid: new Uint8Array(32).fill(seed), vout: 0 }],
    [{ value: BigInt(seed), script: Uint8Array.of(0x51, seed & 0xff) }],
    seed,
  )

const blockOf = (count: number) =>
  mineBlock(new Uint8Array(32), [coinbase(7), ...Array.from({ length: count }, (_, at) => transactionOf(at + 1))])

const proofOf = (count: number, at: number): BlockProof => provenIn(blockOf(count), transactionOf(at))

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
  return flipped
}

const reasonOf = (proof: BlockProof) => {
  const included = verifyInclusion(proof)
  return included.ok ? 'included' : included.reason
}

describe('inclusion in a Bitcoin block', () => {
  it('holds for every transaction of blocks of any size', () => {
    for (const count of [1, 2, 3, 4, 7, 8, 11]) {
      for (let at = 1; at <= count; at++) {
        const included = verifyInclusion(proofOf(count, at))
        expect(included.ok && equalBytes(included.transaction.txid, doubleSha256(transactionOf(at)))).toBe(true)
      }
    }
  })

  it('fails when any bit of it is another', () => {
    const proof = proofOf(11, 6)
    const bit = (length: number) => fc.nat(8 * length - 1)
    const changed = fc.oneof(
      bit(proof.rawTx.length).map((at) => ({ ...proof, rawTx: flip(proof.rawTx, at) })),
      // The rest of the header is bound by its hash: another hash is another block, which only the best chain refuses.
      bit(32).map((at) => ({ ...proof, blockHeader: flip(proof.blockHeader, 8 * 36 + at) })),
      fc
        .tuple(fc.nat(3), bit(32))
        .map(([at, b]) => ({ ...proof, path: proof.path.map((node, i) => (i === at ? flip(node, b) : node)) })),
      fc
        .nat(40)
        .filter((at) => at !== 6)
        .map((txIndex) => ({ ...proof, txIndex })),
      bit(proof.coinbase.rawTx.length).map((at) => ({
        ...proof,
        coinbase: { ...proof.coinbase, rawTx: flip(proof.coinbase.rawTx, at) },
      })),
      fc.uint8Array({ maxLength: 200 }).map((rawTx) => ({ ...proof, rawTx })),
      fc.uint8Array({ maxLength: 100 }).map((blockHeader) => ({ ...proof, blockHeader })),
      fc.constant({ ...proof, path: proof.path.slice(1) }),
      fc.constant({ ...proof, path: [...proof.path, new Uint8Array(32)] }),
    )
    fc.assert(
      fc.property(changed, (wrong) => {
        expect(verifyInclusion(wrong).ok).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses 64 bytes that are a node, and a transaction hidden below a transaction of 64 bytes', () => {
    const block = blockOf(4)
    const txids = block.transactions.map(doubleSha256)
    const node = concatBytes(txids[2] as Uint8Array, txids[3] as Uint8Array)
    const { path, coinbase: first, blockHeader } = provenIn(block, block.transactions[2] as Uint8Array)
    const up = { path: path.slice(1), coinbase: { ...first, path: first.path.slice(1) } }
    expect(reasonOf({ rawTx: node, txIndex: 1, blockHeader, ...up })).toBe('the bytes are no transaction')

    const forged = transactionOf(99)
    const carrier = concatBytes(doubleSha256(forged), new Uint8Array(32).fill(5))
    const transactions = [coinbase(7), carrier]
    const { root, path: above } = merklePath(transactions.map(doubleSha256), 1)
    const hidden = mineBlock(new Uint8Array(32), transactions)
    expect(equalBytes(hidden.header.subarray(36, 68), root)).toBe(true)
    const deeper = { rawTx: forged, path: [carrier.subarray(32), ...above], txIndex: 2, blockHeader: hidden.header }
    const honest = provenIn(hidden, carrier).coinbase
    expect(reasonOf({ ...deeper, coinbase: honest })).toBe('the coinbase stands at another depth')
    const longer = { ...honest, path: [...honest.path, new Uint8Array(32)] }
    expect(reasonOf({ ...deeper, coinbase: longer })).toBe('the coinbase is not in the block')
  })

  it('refuses the coinbase itself, witnesses, and another first transaction', () => {
    const proof = proofOf(2, 1)
    expect(reasonOf({ ...proof, ...proof.coinbase, txIndex: 0 })).toContain('index')
    expect(reasonOf({ ...proof, coinbase: { ...proof.coinbase, rawTx: transactionOf(1) } })).toContain('no coinbase')
    const witnessed = concatBytes(
      proof.rawTx.subarray(0, 4),
      Uint8Array.of(0, 1),
      proof.rawTx.subarray(4, -4),
      Uint8Array.of(0),
      proof.rawTx.subarray(-4),
    )
    expect(reasonOf({ ...proof, rawTx: witnessed })).toContain('no transaction')
    expect(reasonOf({ ...proof, rawTx: concatBytes(proof.rawTx, Uint8Array.of(0)) })).toContain('no transaction')
  })

  it('refuses a block without proof of work', () => {
    const proof = proofOf(2, 1)
    const hard = Uint8Array.from(proof.blockHeader)
    hard.set([0xff, 0xff, 0x00, 0x1d], 72)
    expect(reasonOf({ ...proof, blockHeader: hard })).toContain('proof of work')
    const negative = Uint8Array.from(proof.blockHeader)
    negative.set([0xff, 0xff, 0xff, 0x20], 72)
    expect(reasonOf({ ...proof, blockHeader: negative })).toContain('proof of work')
  })
})
