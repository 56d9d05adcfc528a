import {
  anchorOutput,
  anchorScript,
  fromHex,
  pieceOutput,
  splitPieces,
  takeoverLeaf,
  tapLeafHash,
  taprootKey,
  toHex,
  vaultScript,
} from '@kedge/core'
import { payments, script } from 'bitcoinjs-lib'
import fc from 'fast-check'
import * as ecc from 'tiny-secp256k1'
import { describe, expect, test } from 'vitest'
import { addressOf, coinKey, parseAddress, publicKeyOf, signHash, tweakSecret } from '../src/keys.ts'
import { PARAMS, secretOf } from './network.ts'

const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => ecc.isPrivate(bytes))

describe('a key', () => {
  test('the first receiving address of BIP86', () => {
    const internal = fromHex('cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115')
    const output = fromHex('a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c')
    expect(taprootKey(internal).key).toEqual(output)
    expect(addressOf(fromHex(`5120${toHex(output)}`), 'main')).toBe(
      'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr',
    )
  })

  test('owns what bitcoinjs derives from it, and signs for it', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const key = coinKey(secret)
        const payment = payments.p2tr({ internalPubkey: key.publicKey })
        expect(toHex(key.script)).toBe(toHex(payment.output ?? new Uint8Array(0)))
        const hash = new Uint8Array(32).fill(3)
        expect(ecc.verifySchnorr(hash, key.script.slice(2), signHash(hash, key.spendingSecret))).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('tweaked by a script tree it signs for the output key', () => {
    fc.assert(
      fc.property(secrets, fc.uint8Array({ minLength: 32, maxLength: 32 }), (secret, root) => {
        expect(publicKeyOf(tweakSecret(secret, root))).toEqual(taprootKey(publicKeyOf(secret), root).key)
      }),
      { numRuns: 20 },
    )
  })

  test.each([new Uint8Array(32), new Uint8Array(32).fill(0xff), new Uint8Array(31).fill(1)])(
    '%s is no secret',
    (secret) => {
      expect(() => coinKey(secret)).toThrow(RangeError)
    },
  )
})

describe("the network's scripts are what bitcoinjs makes of their leaves", () => {
  const compile = (text: string): Uint8Array => script.fromASM(text)
  const [a, b, c] = PARAMS.keys.watchers.map(toHex)
  const watchers = `${a} OP_CHECKSIG ${b} OP_CHECKSIGADD ${c} OP_CHECKSIGADD OP_2 OP_NUMEQUAL`

  test('anchor', () => {
    const output = compile(`28 OP_CHECKSEQUENCEVERIFY OP_DROP ${watchers}`)
    const payment = payments.p2tr({
      internalPubkey: PARAMS.keys.anchor,
      scriptTree: { output },
      redeem: { output, redeemVersion: 0xc0 },
    })
    expect(toHex(anchorScript(PARAMS))).toBe(toHex(payment.output ?? new Uint8Array(0)))
    expect(toHex(takeoverLeaf(PARAMS))).toBe(toHex(output))
    expect(payment.witness?.map(toHex)).toEqual([anchorOutput(PARAMS).leaf, anchorOutput(PARAMS).control].map(toHex))
    expect(toHex(payment.hash ?? new Uint8Array(0))).toBe(toHex(tapLeafHash(output)))
  })

  test('vault', () => {
    const internalPubkey = fromHex('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0')
    const payment = payments.p2tr({ internalPubkey, scriptTree: { output: compile(watchers) } })
    expect(toHex(vaultScript(PARAMS))).toBe(toHex(payment.output ?? new Uint8Array(0)))
  })

  test('pieces', () => {
    const key = publicKeyOf(secretOf(9))
    for (const size of [1, 160, 1040]) {
      const pieces = splitPieces(new Uint8Array(size).fill(size & 0xff))[0] ?? []
      const { script: scriptOut, leaf, control } = pieceOutput(key, pieces)
      const tree = { output: leaf }
      const payment = payments.p2tr({ internalPubkey: key, scriptTree: tree, redeem: { ...tree, redeemVersion: 0xc0 } })
      expect(toHex(scriptOut)).toBe(toHex(payment.output ?? new Uint8Array(0)))
      expect(toHex(control)).toBe(toHex(payment.witness?.at(-1) ?? new Uint8Array(0)))
    }
  })
})

describe('addresses', () => {
  const { script: own } = coinKey(secretOf(5))

  test.each([
    ['main', 'bc1p'],
    ['testnet4', 'tb1p'],
    ['signet', 'tb1p'],
    ['regtest', 'bcrt1p'],
  ] as const)('on %s', (chain, prefix) => {
    const text = addressOf(own, chain)
    expect(text.startsWith(prefix)).toBe(true)
    expect(parseAddress(text, chain)).toEqual({ ok: true, script: own })
  })

  test.each([
    ['of another chain', addressOf(own, 'main')],
    ['with a wrong letter', addressOf(own, 'regtest').replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'))],
    ['empty', ''],
    ['nonsense', 'kedge'],
  ])('one %s is refused', (_, text) => {
    expect(parseAddress(text, 'regtest')).toMatchObject({ ok: false, reason: expect.stringMatching(/./) })
  })

  test('a script that has none', () => {
    expect(() => addressOf(fromHex('6a0201ff'), 'regtest')).toThrow()
  })
})
