import { type BitcoinChain, toHex } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { addressesOf, deriveKeys } from '../src/keys.ts'
import { isOnCurve, isSignature } from '../src/signing.ts'

/** BIP86's own words and address for mainnet; the others were derived by a second implementation. */
const ABANDON = `${'abandon '.repeat(11)}about`
const WINNER = 'legal winner thank year wave sausage worth useful legal winner thank yellow'

const vectors: readonly (readonly [string, BitcoinChain, string, string])[] = [
  [
    ABANDON,
    'main',
    'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr',
    '162247c7258391b4e7fafeb15aa91e0317d2ad3bc953c94cc6468a0f04e9497d',
  ],
  [
    ABANDON,
    'signet',
    'tb1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqlqt9zj',
    'cac9249dabe1c7c948956a78d24aae46635b521dd0a23fe0217a6fd1584c9332',
  ],
  [
    WINNER,
    'main',
    'bc1pgp80xvc97ssyphukzd5w6gmz2z45dzawl8sn3g6r9e95l90yvdfqa9879z',
    '5f1ba0657ecd1fdde81f4b380bf39c00d6971fab2b05a89a083eb840cceae029',
  ],
  [
    WINNER,
    'testnet4',
    'tb1p9y6pr3ec7jfdg6aaa282eu6pxn630ujlmkuwzvmdc6lam3t7dy7qrvhl3c',
    'c30fe3d1bbe9e37da25289666dc1ed44c407790b196d09ec97ca81aef7c7710c',
  ],
  [
    WINNER,
    'regtest',
    'bcrt1p9y6pr3ec7jfdg6aaa282eu6pxn630ujlmkuwzvmdc6lam3t7dy7qw4aeyz',
    'c30fe3d1bbe9e37da25289666dc1ed44c407790b196d09ec97ca81aef7c7710c',
  ],
]

describe('keys', () => {
  it.each(vectors)('of %s on %s', async (words, chain, bitcoin, rollup) => {
    expect(addressesOf(await deriveKeys(words, chain), chain)).toEqual({ bitcoin, rollup })
  })

  it('differ between bitcoin and the rollup', async () => {
    const keys = await deriveKeys(ABANDON, 'regtest')
    expect(toHex(keys.bitcoin.publicKey)).not.toBe(toHex(keys.rollup.key))
    expect(toHex(keys.bitcoin.secret)).not.toBe(toHex(keys.rollup.secret))
  })
})

describe('signatures', () => {
  // BIP340's test vectors 0 and 5 (a public key that is not on the curve).
  const key = 'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9'
  const signature =
    'e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca821525f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0'
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

  it('hold for the key and the message they were made for', () => {
    expect(isSignature(bytes(signature), new Uint8Array(32), bytes(key))).toBe(true)
    expect(isSignature(bytes(signature), new Uint8Array(32).fill(1), bytes(key))).toBe(false)
    expect(isSignature(new Uint8Array(64).fill(0xff), new Uint8Array(32), bytes(key))).toBe(false)
    expect(isSignature(bytes(signature), new Uint8Array(32), new Uint8Array(32).fill(0xff))).toBe(false)
  })

  it('need a key that is on the curve', () => {
    expect(isOnCurve(bytes(key))).toBe(true)
    expect(isOnCurve(bytes('eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34'))).toBe(false)
    expect(isOnCurve(new Uint8Array(32))).toBe(false)
    expect(isOnCurve(new Uint8Array(32).fill(0xff))).toBe(false)
  })
})
