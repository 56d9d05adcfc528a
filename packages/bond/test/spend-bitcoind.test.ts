import { buildPayment, publicKeyOf, sendTransaction, signHash, testAccept, tweakSecret } from '@kedge/bitcoin'
import {
  afterBlocks,
  concatBytes,
  equivocationLeaf,
  type L1Output,
  push,
  quorum,
  tapBranch,
  tapLeafHash,
  taprootKey,
  taprootScript,
} from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import { describe, expect, test } from 'vitest'
import { OP } from '../src/opcodes.ts'
import { signatureHash } from '../src/spend-check.ts'
import { faultsOf, freshKey, fundedKey, NO_BITCOIND, of, useBitcoind } from './ground.ts'

/** Spends of one output by its key and by its leaves, right and wrong: bitcoind's word on each, and the interpreter's. */

const SECRET = of(7)
const KEY = publicKeyOf(SECRET)
const SECRETS = [of(1), of(2), of(3)]

const LEAVES = {
  signed: equivocationLeaf(KEY),
  late: concatBytes(afterBlocks(2), equivocationLeaf(KEY)),
  two: quorum(SECRETS.map(publicKeyOf), 2),
  dropped: concatBytes(Uint8Array.of(OP.DROP), equivocationLeaf(KEY)),
  odd: concatBytes(push(concatBytes(Uint8Array.of(2), KEY)), Uint8Array.of(OP.CHECKSIG)),
}

/** Signs the spend with BIP341's hash type `type`; `byte`, where there is one, is what is written behind it. */
interface Signer {
  sign(secret: Uint8Array, type?: number, byte?: number): Uint8Array
}

interface Case {
  readonly name: string
  /** Undefined: by the key. */
  readonly leaf?: keyof typeof LEAVES
  readonly depth?: number
  readonly version?: number
  readonly sequence?: number
  readonly elements: (signer: Signer) => Uint8Array[]
  readonly control?: (control: Uint8Array) => Uint8Array
  /** Who takes it. */
  readonly taken: 'relay' | 'consensus' | 'nobody'
}

const EMPTY = new Uint8Array(0)
const bare = ({ sign }: Signer) => [sign(SECRET)]
const typed =
  (type: number, byte = type) =>
  ({ sign }: Signer) => [sign(SECRET, type, byte)]
const dropping =
  (size: number) =>
  ({ sign }: Signer) => [sign(SECRET), new Uint8Array(size).fill(1)]
const byWatchers =
  (...secrets: (Uint8Array | undefined)[]) =>
  ({ sign }: Signer) =>
    secrets.map((secret) => (secret === undefined ? EMPTY : sign(secret)))
const [ONE, TWO, THREE] = SECRETS as [Uint8Array, Uint8Array, Uint8Array]

const CASES: readonly Case[] = [
  { name: 'the key', elements: bare, taken: 'relay' },
  ...[0x01, 0x02, 0x03, 0x81, 0x82, 0x83].map(
    (type): Case => ({ name: `the key, hash type ${type}`, elements: typed(type), taken: 'relay' }),
  ),
  { name: 'the default hash type written out', elements: typed(0, 0), taken: 'nobody' },
  { name: 'an unknown hash type', elements: typed(4), taken: 'nobody' },
  { name: 'another hash type than was signed', elements: typed(1, 3), taken: 'nobody' },
  { name: 'a short signature', elements: ({ sign }) => [sign(SECRET).slice(1)], taken: 'nobody' },
  { name: 'a long signature', elements: ({ sign }) => [concatBytes(sign(SECRET), of(1))], taken: 'nobody' },
  { name: 'another key', elements: ({ sign }) => [sign(of(8))], taken: 'nobody' },
  { name: 'no witness', elements: () => [], taken: 'nobody' },
  { name: 'an annex', elements: ({ sign }) => [sign(SECRET), Uint8Array.of(0x50)], taken: 'nobody' },
  { name: 'a leaf', leaf: 'signed', elements: bare, taken: 'relay' },
  { name: 'a leaf, all hashed', leaf: 'signed', elements: typed(1), taken: 'relay' },
  { name: 'a leaf at depth 7', leaf: 'signed', depth: 7, elements: bare, taken: 'relay' },
  { name: 'a leaf at depth 8', leaf: 'signed', depth: 8, elements: bare, taken: 'consensus' },
  { name: 'a leaf, no signature', leaf: 'signed', elements: () => [EMPTY], taken: 'nobody' },
  { name: 'a leaf, nothing', leaf: 'signed', elements: () => [], taken: 'nobody' },
  { name: 'a leaf, two elements', leaf: 'signed', elements: ({ sign }) => [EMPTY, sign(SECRET)], taken: 'nobody' },
  { name: 'a leaf, another key', leaf: 'signed', elements: ({ sign }) => [sign(of(8))], taken: 'nobody' },
  {
    name: 'the other parity',
    leaf: 'signed',
    elements: bare,
    control: (c) => c.with(0, (c[0] ?? 0) ^ 1),
    taken: 'nobody',
  },
  { name: 'another leaf version', leaf: 'signed', elements: bare, control: (c) => c.with(0, 0xc2), taken: 'nobody' },
  { name: 'a short control block', leaf: 'signed', elements: bare, control: (c) => c.slice(0, -1), taken: 'nobody' },
  { name: 'a longer path', leaf: 'signed', elements: bare, control: (c) => concatBytes(c, of(0)), taken: 'nobody' },
  {
    name: 'an internal key off the curve',
    leaf: 'signed',
    elements: bare,
    control: (c) => concatBytes(c.slice(0, 1), of(0xff), c.slice(33)),
    taken: 'nobody',
  },
  { name: 'a lock, as long', leaf: 'late', sequence: 2, elements: bare, taken: 'relay' },
  { name: 'a lock, longer', leaf: 'late', sequence: 3, elements: bare, taken: 'relay' },
  { name: 'a lock, shorter', leaf: 'late', sequence: 1, elements: bare, taken: 'nobody' },
  { name: 'a lock, off', leaf: 'late', sequence: 0xfffffffd, elements: bare, taken: 'nobody' },
  { name: 'a lock, of time', leaf: 'late', sequence: 0x400002, elements: bare, taken: 'nobody' },
  { name: 'a lock, version 1', leaf: 'late', sequence: 2, version: 1, elements: bare, taken: 'nobody' },
  { name: 'watchers 1, 2', leaf: 'two', elements: byWatchers(undefined, TWO, ONE), taken: 'relay' },
  { name: 'watchers 1, 3', leaf: 'two', elements: byWatchers(THREE, undefined, ONE), taken: 'relay' },
  { name: 'watchers 2, 3', leaf: 'two', elements: byWatchers(THREE, TWO, undefined), taken: 'relay' },
  { name: 'one watcher', leaf: 'two', elements: byWatchers(THREE, undefined, undefined), taken: 'nobody' },
  { name: 'one watcher twice', leaf: 'two', elements: byWatchers(undefined, ONE, ONE), taken: 'nobody' },
  { name: 'three watchers', leaf: 'two', elements: byWatchers(THREE, TWO, ONE), taken: 'nobody' },
  { name: 'watchers in the other order', leaf: 'two', elements: byWatchers(ONE, TWO, undefined), taken: 'nobody' },
  { name: 'an element of 80 bytes', leaf: 'dropped', elements: dropping(80), taken: 'relay' },
  { name: 'an element of 81 bytes', leaf: 'dropped', elements: dropping(81), taken: 'consensus' },
  { name: 'an element of 520 bytes', leaf: 'dropped', elements: dropping(520), taken: 'consensus' },
  { name: 'an element of 521 bytes', leaf: 'dropped', elements: dropping(521), taken: 'nobody' },
  { name: 'a key of 33 bytes', leaf: 'odd', elements: bare, taken: 'consensus' },
]

describe.skipIf(NO_BITCOIND)('bitcoind and the interpreter', () => {
  const bitcoind = useBitcoind('core')

  test('agree on spends by signature', { timeout: 60_000 }, async () => {
    const outputs = CASES.map((one): L1Output => ({ script: taprootScript(treeOf(one).key), value: 2_000n }))
    const funding = buildPayment(outputs, await fundedKey(bitcoind(), 1_000_000n))
    expect(await sendTransaction(bitcoind().rpc, funding.raw, 0n)).toEqual({ ok: true })
    await bitcoind().mine(4)
    for (const [at, one] of CASES.entries()) {
      const spent = [outputs[at] as L1Output]
      const raw = spend(one, funding.txid, at, spent)
      const relayed = (await testAccept(bitcoind().rpc, raw)).ok
      const mined = await bitcoind()
        .mineBlock([raw])
        .then(
          () => true,
          (error: unknown) => (/[Ss]cript|BIP68|nonfinal/.test(String(error)) ? false : Promise.reject(error)),
        )
      const said = { relayed: isRight(raw, spent, 'relay'), mined: isRight(raw, spent, 'consensus') }
      expect({ relayed, mined }, `${one.name}: bitcoind`).toEqual({
        relayed: one.taken === 'relay',
        mined: one.taken !== 'nobody',
      })
      expect(said, `${one.name}: interpreter`).toEqual({ relayed, mined })
    }
  })
})

const isRight = (raw: Uint8Array, spent: L1Output[], rules: 'consensus' | 'relay') =>
  faultsOf({ raw, spent }, rules).length === 0

/** The leaf alone, or at a depth under as many others; nobody knows those. */
function treeOf({ leaf, depth = 0 }: Case) {
  const script = leaf && LEAVES[leaf]
  if (script === undefined) return { ...taprootKey(KEY), script, path: [], root: undefined }
  const path = Array.from({ length: depth }, (_, at) => of(0x80 + at))
  const root = path.reduce(tapBranch, tapLeafHash(script))
  return { ...taprootKey(KEY, root), script, path, root }
}

function spend(one: Case, txid: Uint8Array, vout: number, spent: readonly L1Output[]): Uint8Array {
  const { script, path, odd, root } = treeOf(one)
  const transaction = new Transaction()
  transaction.version = one.version ?? 2
  transaction.addInput(txid, vout, one.sequence ?? 0xfffffffd)
  transaction.addOutput(freshKey().script, 500n)
  const sign: Signer['sign'] = (secret, type = 0, byte?: number) => {
    const hash = signatureHash({ transaction, spent, at: 0, ...(script && { leaf: script }) }, type)
    const signature = signHash(hash, script === undefined ? tweakSecret(secret, root) : secret)
    return byte === undefined ? signature : concatBytes(signature, Uint8Array.of(byte))
  }
  const elements = one.elements({ sign })
  const control = concatBytes(Uint8Array.of(odd ? 0xc1 : 0xc0), KEY, ...path)
  const tail = script === undefined ? [] : [script, (one.control ?? ((c) => c))(control)]
  transaction.setWitness(0, [...elements, ...tail])
  return transaction.toBuffer()
}
