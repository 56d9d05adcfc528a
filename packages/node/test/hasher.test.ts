import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { hasherName, installHasher, nobleHasher, sha256, toHex } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fastestHasher, nodeHasher } from '../src/hasher.ts'

test('the native hasher is taken wherever there is a build of it', () => {
  const none = process.platform === 'darwin' && process.arch === 'x64'
  expect(fastestHasher().name).toBe(none ? 'node:crypto' : '@chainsafe/hashtree')
})

describe.each([fastestHasher(), nodeHasher])('$name', (hasher) => {
  const layer = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer(), fc.nat(70), fc.nat(40))

  test('hashes layers as noble does, wherever they lie in their buffers, and touches nothing else', () => {
    fc.assert(
      fc.property(layer, ([nodes, seed, before, after]) => {
        const memory = Uint8Array.from(
          { length: 64 * nodes + before + after },
          (_, at) => Math.imul(at + seed, 0x9e3779b1) >>> 24,
        )
        const input = memory.subarray(before, before + 64 * nodes)
        const expected = new Uint8Array(32 * nodes)
        nobleHasher.hashInto(input, expected)
        const target = new Uint8Array(32 * nodes + before + after).fill(0xee)
        hasher.hashInto(input, target.subarray(after, after + 32 * nodes))
        expect(toHex(target.subarray(after, after + 32 * nodes))).toBe(toHex(expected))
        expect(target.subarray(0, after).every((byte) => byte === 0xee)).toBe(true)
        expect(target.subarray(after + 32 * nodes).every((byte) => byte === 0xee)).toBe(true)
      }),
    )
  })

  test('hashes wide layers, between shared memories too', () => {
    const input = new Uint8Array(new SharedArrayBuffer(64 * 5001)).map((_, at) => (at * 7 + (at >> 8)) & 255)
    const shared = new Uint8Array(new SharedArrayBuffer(64 * 5001))
    shared.set(input)
    const expected = new Uint8Array(32 * 5001)
    nobleHasher.hashInto(input, expected)
    const output = new Uint8Array(new SharedArrayBuffer(32 * 5001))
    hasher.hashInto(shared, output)
    expect(Buffer.compare(output, expected)).toBe(0)
  })

  test('hashes single messages of any length as noble does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), (bytes, cut) => {
        expect(toHex(hasher.sha256(bytes.subarray(cut)))).toBe(toHex(nobleHasher.sha256(bytes.subarray(cut))))
      }),
    )
  })

  test('gives each digest in bytes of its own', () => {
    const [first, second] = [hasher.sha256(Uint8Array.of(1)), hasher.sha256(Uint8Array.of(2))]
    expect(toHex(first)).toBe(toHex(nobleHasher.sha256(Uint8Array.of(1))))
    expect(first.buffer).not.toBe(second.buffer)
    expect(Buffer.isBuffer(first)).toBe(false)
  })

  test('is accepted by core', () => {
    installHasher(hasher)
    expect(hasherName()).toBe(hasher.name)
    expect(toHex(sha256(new Uint8Array(0)))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    installHasher(nobleHasher)
  })
})

test('without the native module the process says so and hashes with node:crypto', () => {
  const program = `
    process.on('warning', ({ message }) => console.log(message))
    const { fastestHasher } = await import(${JSON.stringify(new URL('../dist/hasher.js', import.meta.url))})
    const hasher = fastestHasher()
    const output = new Uint8Array(32)
    hasher.hashInto(new Uint8Array(64), output)
    await new Promise(setImmediate)
    console.log(hasher.name, Buffer.from(output).toString('hex'))`
  const blocker = fileURLToPath(new URL('./without-hashtree.cjs', import.meta.url))
  const args = ['--no-warnings', '--require', blocker, '--input-type=module', '--eval', program]
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
  expect(output).toContain('@chainsafe/hashtree does not load')
  expect(output).toContain('node:crypto f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b')
})
