import { schnorr } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../src/bytes.ts'
import { sha256, taggedHash } from '../src/hash.ts'
import { networkId, type Params, regtestRules } from '../src/params.ts'
import {
  anchorOutput,
  anchorScript,
  dataCarrier,
  dataCarrierScript,
  depositOutput,
  leafOutput,
  refundLeaf,
  signalScript,
  takeoverLeaf,
  tapLeafHash,
  taprootKey,
  taprootScript,
  tapTweak,
  vaultLeaf,
  vaultScript,
} from '../src/scripts.ts'

const keyOf = (seed: number): Uint8Array => schnorr.getPublicKey(new Uint8Array(32).fill(seed))

function network(watchers: number, threshold: number, takeover = 40): Params {
  return {
    ...regtestRules,
    windows: { ...regtestRules.windows, takeover },
    genesis: { txid: new Uint8Array(32).fill(7), vout: 1 },
    vault: { txid: new Uint8Array(32).fill(7), vout: 2, value: 1_000n },
    scanHeight: 101,
    keys: {
      anchor: keyOf(1),
      slot: keyOf(2),
      fees: keyOf(3),
      watchers: Array.from({ length: watchers }, (_, at) => keyOf(10 + at)),
      threshold,
    },
  }
}

describe('taproot', () => {
  test('a key alone: the first wallet vector of BIP341', () => {
    const internal = fromHex('d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d')
    expect(toHex(tapTweak(internal))).toBe('b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70')
    expect(toHex(taprootKey(internal).key)).toBe('53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343')
  })

  test('a key and a leaf: the second', () => {
    const internal = fromHex('187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27')
    const leaf = fromHex('20d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8ac')
    const output = leafOutput(internal, leaf)
    expect(toHex(output.script)).toBe('5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3')
    expect(toHex(output.control)).toBe(`c1${toHex(internal)}`)
  })

  test('a key off the curve is refused', () => {
    expect(() => taprootKey(new Uint8Array(32).fill(0xff))).toThrow()
    expect(() => taprootKey(new Uint8Array(32))).toThrow()
  })

  test('leaves of 253 bytes and more have a longer size before them', () => {
    const short = leafOutput(keyOf(1), new Uint8Array(252).fill(0x61))
    const long = leafOutput(keyOf(1), new Uint8Array(253).fill(0x61))
    expect(toHex(short.script)).not.toBe(toHex(long.script))
    expect(leafOutput(keyOf(1), new Uint8Array(489).fill(0x61)).leaf.length).toBe(489)
  })
})

describe('network scripts', () => {
  test('takeover leaf: wait, then t-of-n', () => {
    const params = network(3, 2)
    const [a, b, c] = params.keys.watchers.map(toHex)
    expect(toHex(takeoverLeaf(params))).toBe(`0128b27520${a}ac20${b}ba20${c}ba529c`)
    expect(toHex(vaultLeaf(params))).toBe(`20${a}ac20${b}ba20${c}ba529c`)
  })

  test.each([
    [16, '60'],
    [17, '0111'],
    [127, '017f'],
    [128, '028000'],
    [255, '02ff00'],
    [32_767, '02ff7f'],
    [32_768, '03008000'],
    [65_535, '03ffff00'],
  ])('a takeover after %i blocks pushes %s', (takeover, pushed) => {
    expect(toHex(takeoverLeaf(network(1, 1, takeover))).startsWith(`${pushed}b275`)).toBe(true)
  })

  test('the anchor output is the anchor script with what the watchers reveal', () => {
    const params = network(3, 2)
    const output = anchorOutput(params)
    expect(output.script).toEqual(anchorScript(params))
    expect(output.control.slice(1)).toEqual(params.keys.anchor)
    expect(output.leaf).toEqual(takeoverLeaf(params))
  })

  test('the signal script pays to the hash of a script with the network id', () => {
    const params = network(3, 2)
    const witnessScript = concatBytes(fromHex('20'), networkId(params), fromHex('7551b2'))
    expect(toHex(signalScript(params))).toBe(`0020${toHex(sha256(witnessScript))}`)
  })

  test('a deposit’s output: the vault’s leaf, and a leaf for the depositor after R blocks', () => {
    const params = network(3, 2)
    const { script, sweep, refund } = depositOutput(params, keyOf(30), keyOf(31))
    expect(sweep.leaf).toEqual(vaultLeaf(params))
    expect(toHex(refund.leaf)).toBe(`20${toHex(keyOf(31))}ad0150b2`)
    for (const { leaf, control } of [sweep, refund]) expect(opens(script, leaf, control)).toBe(true)
    expect(opens(script, refund.leaf, sweep.control)).toBe(false)
    expect(opens(script, refundLeaf(params, keyOf(30)), refund.control)).toBe(false)
  })

  test('it differs with network, rollup key and refund key, and has no internal key in common', () => {
    const keys: [Uint8Array, Uint8Array][] = [
      [keyOf(30), keyOf(31)],
      [keyOf(31), keyOf(30)],
      [keyOf(30), keyOf(32)],
      [new Uint8Array(32).fill(0xff), new Uint8Array(32)],
    ]
    const outputs = [network(3, 2), network(3, 3)].flatMap((params) =>
      keys.map(([key, refundKey]) => depositOutput(params, key, refundKey)),
    )
    expect(new Set(outputs.map(({ script }) => toHex(script))).size).toBe(8)
    expect(new Set(outputs.map(({ sweep }) => toHex(sweep.control.slice(1, 33)))).size).toBe(8)
  })

  test('every script differs with the network', () => {
    const scripts = [network(3, 2), network(3, 3), network(2, 2)].flatMap((params) => [
      anchorScript(params),
      vaultScript(params),
      signalScript(params),
    ])
    expect(new Set(scripts.map(toHex)).size).toBe(9)
    expect(new Set(scripts.map((script) => script.length))).toEqual(new Set([34]))
  })

  test('a script is computed once for each value of the parameters', () => {
    const params = network(3, 2)
    expect(vaultScript(params)).toBe(vaultScript(params))
    expect(vaultScript({ ...params })).not.toBe(vaultScript(params))
  })
})

/** BIP341's rule for a script path: the leaf and its path, tweaking the internal key, give the output key. */
function opens(script: Uint8Array, leaf: Uint8Array, control: Uint8Array): boolean {
  let root = tapLeafHash(leaf)
  for (let at = 33; at < control.length; at += 32) {
    const pair = [root, control.slice(at, at + 32)].sort((a, b) => (toHex(a) < toHex(b) ? -1 : 1))
    root = taggedHash('TapBranch', concatBytes(...pair))
  }
  const { key, odd } = taprootKey(control.slice(1, 33), root)
  return toHex(taprootScript(key)) === toHex(script) && control[0] === (odd ? 0xc1 : 0xc0)
}

describe('data carrier', () => {
  const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at + 1)

  test('builds what it reads, for every size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 80 }), (bytes) => {
        expect(dataCarrier(dataCarrierScript(bytes))).toEqual(bytes)
      }),
    )
  })

  test.each([0, 1, 81, 256])('a payload of %i bytes is refused', (size) => {
    expect(() => dataCarrierScript(payload(size))).toThrow(RangeError)
  })

  test.each([
    ['nothing', ''],
    ['no OP_RETURN', '6b020102'],
    ['no push', '6a'],
    ['an empty push', '6a00'],
    ['a number opcode', '6a55'],
    ['one byte', '6a0105'],
    ['a push that ends early', '6a0301 02'],
    ['a byte after the push', '6a02010203'],
    ['a second push', '6a020102020102'],
    ['an opcode before the push', '6a51020102'],
    ['PUSHDATA1 without a size', '6a4c'],
    ['PUSHDATA1 where a direct push would do', `6a4c4b${'01'.repeat(75)}`],
    ['PUSHDATA1 that ends early', `6a4c50${'01'.repeat(79)}`],
    ['PUSHDATA1 with a byte after it', `6a4c4c${'01'.repeat(77)}`],
    ['PUSHDATA2', `6a4d5000${'01'.repeat(80)}`],
    ['81 bytes', `6a4c51${'01'.repeat(81)}`],
  ])('%s is no data carrier', (_, hex) => {
    expect(dataCarrier(fromHex(hex.replace(' ', '')))).toBeUndefined()
  })

  test('any other bytes are no data carrier, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
        const script = concatBytes(fromHex('6a'), tail)
        const found = dataCarrier(script)
        if (found !== undefined) expect(dataCarrierScript(found)).toEqual(script)
      }),
    )
  })
})
