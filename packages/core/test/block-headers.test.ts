import { describe, expect, it } from 'vitest'
import {
  type Checkpoint,
  decodeBlockHeader,
  MAX_BLOCK_HEADERS,
  mayFollow,
  readBlockHeaders,
  workOf,
} from '../src/block-headers.ts'
import { concatBytes, reverseBytes, toHex } from '../src/bytes.ts'
import { hashTwice } from '../src/hash.ts'
import type { BitcoinChain } from '../src/params.ts'
import { EASY_BITS, mineHeader } from './blocks.ts'
import { bytes32 } from './world.ts'

/** Bitcoin's genesis block and the two behind it. */
const BITCOIN = [
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c',
  '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299',
  '010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

function run(count: number, bits: readonly number[] = []): Uint8Array[] {
  const headers: Uint8Array[] = []
  for (let at = 0; at < count; at++)
    headers.push(mineHeader(hashTwice(headers.at(-1) ?? bytes32(1)), bytes32(at & 0xff), bits[at] ?? EASY_BITS, at))
  return headers
}

const known = (headers: readonly Uint8Array[], at: number, height: number): Checkpoint => ({
  hash: hashTwice(headers[at] as Uint8Array),
  height,
})

function read(headers: readonly Uint8Array[], checkpoint: Checkpoint, chain: BitcoinChain = 'regtest') {
  const answer = readBlockHeaders(chain, concatBytes(...headers), checkpoint)
  return answer.ok ? answer.run : answer.reason
}

describe('block headers', () => {
  it('are Bitcoin’s own', () => {
    const hash = '00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048'
    const checkpoint = { height: 1, hash: reverseBytes(Uint8Array.from(Buffer.from(hash, 'hex'))) }
    const found = read(BITCOIN, checkpoint, 'main')
    if (typeof found === 'string') throw new Error(found)
    expect(found.from).toBe(0)
    expect(found.headers.map((header) => toHex(header.hash)).slice(0, 2)).toEqual([
      toHex(hashTwice(BITCOIN[0] as Uint8Array)),
      toHex(checkpoint.hash),
    ])
    // Difficulty 1.
    expect(workOf(found.headers)).toBe(3n * 0x100010001n)
  })

  it('hold around a block that is known, wherever in the run it stands', () => {
    const headers = run(5)
    for (let at = 0; at < 5; at++) expect(read(headers, known(headers, at, 100 + at))).toMatchObject({ from: 100 })
  })

  it('are refused without it, or where it can’t be that high', () => {
    const headers = run(3)
    const missing = 'the block that is known is not among the block headers'
    expect(read(headers, { height: 100, hash: bytes32(1) })).toBe(missing)
    expect(read(headers, known(headers, 2, 1))).toBe(missing)
    expect(read(headers, known(headers, 2, 2))).toMatchObject({ from: 0 })
  })

  it('are refused when one does not follow, has no proof of work, or is cut', () => {
    const headers = run(4)
    const tip = known(headers, 3, 103)
    const [a, b, c, d] = headers as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
    expect(read([a, c, d], tip)).toBe('block header 1 does not follow the one before')
    expect(read([a, b, d, c], tip)).toContain('does not follow')
    const hard = b.slice()
    hard.set([0xff, 0xff, 0x00, 0x1d], 72)
    expect(read([a, hard, c, d], tip)).toBe('block header 1 has no proof of work')
    const counted = `there must be 1 to ${MAX_BLOCK_HEADERS} block headers of 80 bytes`
    expect(read([], tip)).toBe(counted)
    expect(read([a, b.slice(1), c, d], tip)).toBe(counted)
    expect(read([a, b, c, d, Uint8Array.of(0)], tip)).toBe(counted)
    expect(
      read(
        Array.from({ length: MAX_BLOCK_HEADERS + 1 }, () => a),
        tip,
      ),
    ).toBe(counted)
  })

  it('are no headers with a target that is zero, negative or beyond 256 bits', () => {
    for (const bits of [0, 0x04800001, 0x00800000, 0x0100ffff >> 8, 0x23ffffff & 0x237fffff, 0xff7fffff, 0x20ffffff]) {
      const header = mineHeader(bytes32(1), bytes32(2), bits)
      expect(decodeBlockHeader(header), bits.toString(16)).toBeUndefined()
    }
    expect(decodeBlockHeader(mineHeader(bytes32(1), bytes32(2)))).toBeDefined()
  })

  it('behind the known block carry the work that their place asks for; those before it are bound to it', () => {
    const easy = run(3)
    const worked = (height: number, at: number) => read(easy, known(easy, at, height), 'main')
    expect(worked(100, 0)).toBe('block 101 has less work than its place asks for')
    expect(worked(102, 2)).toMatchObject({ from: 100 })
    // As easy as regtest's, but not the same.
    const changed = run(3, [EASY_BITS, 0x207ffffe, EASY_BITS])
    expect(read(changed, known(changed, 0, 100))).toMatchObject({ from: 100 })
    expect(read(changed, known(changed, 0, 100), 'testnet4')).toBe('block 101 has less work than its place asks for')
  })

  it('on main move their target where Bitcoin does', () => {
    const most = 0xffffn << 208n
    const target = most / 1000n
    const judged = (chain: BitcoinChain, parent: bigint, next: bigint, height: number) =>
      mayFollow(chain, parent, next, height)
    expect(judged('main', target, target, 4031)).toBe(true)
    expect(judged('main', target, target - 1n, 4031)).toBe(false)
    expect(judged('main', target, target + 1n, 4031)).toBe(false)
    expect(judged('main', target, target / 4n, 4032)).toBe(true)
    expect(judged('main', target, 4n * target, 4032)).toBe(true)
    expect(judged('main', target, 4n * target + 1n, 4032)).toBe(false)
    expect(judged('main', most, most + 1n, 4032)).toBe(false)
    expect(judged('testnet4', target, most, 4031)).toBe(true)
    expect(judged('signet', most, (0x377aen << 216n) + 1n, 4031)).toBe(false)
    expect(judged('signet', most, 0x377aen << 216n, 4031)).toBe(true)
  })
})
