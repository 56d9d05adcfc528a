import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Hasher } from '@kedge/core'

/**
 * The fastest SHA-256 that loads here, for `installHasher`. Layers of a tree are where the time goes: the native
 * @chainsafe/hashtree takes 0.04 µs a node there and 0.25 µs for a single one, node:crypto 0.6 µs each. hashtree has
 * no build for some platforms (macOS on x64); the process then says so once and uses node:crypto for everything.
 */
export function fastestHasher(): Hasher {
  try {
    const { hashInto }: typeof import('@chainsafe/hashtree') = createRequire(import.meta.url)('@chainsafe/hashtree')
    return { name: '@chainsafe/hashtree', sha256, hashInto }
  } catch (cause) {
    process.emitWarning(`@chainsafe/hashtree does not load, so node:crypto hashes, some ten times slower: ${cause}`)
    return nodeHasher
  }
}

export const nodeHasher: Hasher = {
  name: 'node:crypto',
  sha256,
  hashInto(input, output) {
    const target = Buffer.from(output.buffer, output.byteOffset, output.length)
    for (let at = 0; at < output.length; at += 32) writeSha256(input.subarray(2 * at, 2 * at + 64), target, at)
  },
}

const digest = new Uint8Array(32)
const digestBuffer = Buffer.from(digest.buffer)

function sha256(bytes: Uint8Array): Uint8Array {
  writeSha256(bytes, digestBuffer, 0)
  return digest.slice()
}

// The digest travels as a string of 32 characters, which costs half of what allocating a Buffer for it does.
function writeSha256(bytes: Uint8Array, target: Buffer, at: number): void {
  target.write(hash('sha256', bytes, 'binary'), at, 'binary')
}
