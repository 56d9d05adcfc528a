import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fromHex } from '@kedge/core'
import { schnorr } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { engineOf, nobleEngine, verifySignature } from '../src/engine.ts'
import { bytesFrom, sign } from './transfers.ts'

interface Vector {
  readonly index: number
  readonly key: string
  readonly message: string
  readonly signature: string
  readonly valid: boolean
}

const file = new URL('../vectors/bip340.json', import.meta.url)
const { vectors }: { vectors: Vector[] } = JSON.parse(readFileSync(file, 'utf8'))
const engines = [engineOf('tiny-secp256k1'), nobleEngine]

const secret = bytesFrom('engine/secret', 32)
const key = schnorr.getPublicKey(secret)
const message = bytesFrom('engine/message', 32)
const signature = sign(message, secret)

const P = fromHex('fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f')
const N = fromHex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
const OFF_CURVE = fromHex('eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34')

test('BIP340’s own vectors are all there, and noble agrees with each', () => {
  expect(vectors.map(({ index }) => index)).toEqual(Array.from({ length: 19 }, (_, index) => index))
  for (const vector of vectors) {
    const verdict = schnorr.verify(fromHex(vector.signature), fromHex(vector.message), fromHex(vector.key))
    expect([vector.index, verdict]).toEqual([vector.index, vector.valid])
  }
})

describe.each(engines)('$name', (engine) => {
  test.each(vectors)('gives BIP340’s verdict on vector $index', (vector) => {
    const bytes = fromHex(vector.message)
    // Messages are 32-byte hashes here: what is signed over other lengths is refused, right or not.
    const expected = vector.valid && bytes.length === 32
    expect(engine.verify(fromHex(vector.signature), bytes, fromHex(vector.key))).toBe(expected)
  })

  test('lengths other than 64, 32 and 32 are false', () => {
    expect(engine.verify(signature, message, key)).toBe(true)
    for (const length of [0, 1, 31, 33, 63, 65, 96, 128, 1000]) {
      const bytes = new Uint8Array(length)
      bytes.set(signature.subarray(0, length))
      expect(engine.verify(bytes, message, key)).toBe(false)
      if (length === 32) continue
      bytes.set(message.subarray(0, length))
      expect(engine.verify(signature, bytes, key)).toBe(false)
      bytes.set(key.subarray(0, length))
      expect(engine.verify(signature, message, bytes)).toBe(false)
    }
  })

  test('values out of range are false', () => {
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)]
    const top = new Uint8Array(32).fill(255)
    const zero = new Uint8Array(32)
    const one = Uint8Array.from(zero, (_, at) => (at === 31 ? 1 : 0))
    const between = Uint8Array.from(N, (byte, at) => (at === 31 ? byte + 1 : byte))
    for (const bad of [zero, one, N, between, P, top, OFF_CURVE]) {
      expect(engine.verify(Buffer.concat([bad, s]), message, key)).toBe(false)
      expect(engine.verify(Buffer.concat([r, bad]), message, key)).toBe(false)
      expect(engine.verify(signature, message, bad)).toBe(false)
    }
  })

  test('reads views into larger and into shared memory', () => {
    const memory = new Uint8Array(new SharedArrayBuffer(200))
    memory.set(signature, 3)
    memory.set(message, 70)
    memory.set(key, 105)
    expect(engine.verify(memory.subarray(3, 67), memory.subarray(70, 102), memory.subarray(105, 137))).toBe(true)
    expect(engine.verify(memory.subarray(4, 68), memory.subarray(70, 102), memory.subarray(105, 137))).toBe(false)
  })
})

test('keys off the curve, however many, leave tiny-secp256k1 sound', () => {
  const tiny = engineOf('tiny-secp256k1')
  for (let round = 0; round < 8000; round++) expect(tiny.verify(signature, message, OFF_CURVE)).toBe(false)
  expect(tiny.verify(signature, message, key)).toBe(true)
})

test('the engine that checks nothing says so in its name and is not what verifySignature takes', () => {
  expect(engineOf('none').name).toContain('NOT CHECKED')
  expect([verifySignature(signature, message, key), verifySignature(signature, key, message)]).toEqual([true, false])
})

test('without tiny-secp256k1 the process says so and checks with noble', () => {
  const program = `
    process.on('warning', ({ message }) => console.log(message))
    const { createVerifier, verifySignature } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url))})
    const hex = (text) => Buffer.from(text, 'hex')
    const verdicts = ${JSON.stringify([vectors[1], vectors[8]])}.map((vector) =>
      verifySignature(hex(vector.signature), hex(vector.message), hex(vector.key)))
    const verifier = await createVerifier({ workers: 1, network: new Uint8Array(32), capacityRows: 1 })
    console.log(verifier.engine, ...verdicts)
    await verifier.close()`
  const blocker = fileURLToPath(new URL('./without-tiny.cjs', import.meta.url))
  const args = ['--no-warnings', '--require', blocker, '--input-type=module', '--eval', program]
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
  expect(output).toContain('tiny-secp256k1 does not load')
  expect(output).toContain('@noble/curves true false')
})
