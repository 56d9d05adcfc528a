import { hash } from 'node:crypto'
import { TRANSFER_BYTES, WITHDRAWAL_BYTES } from './operation-bytes.ts'
import { FLAGS_AT, FROM_AT, HASH_BYTES, SIGNATURE_AT, SIGNATURE_BYTES, TO_CELL_AT } from './rows.ts'

/** The two hashes of one kind of operation. `bytes` holds its bytes at `at`; 32 bytes are written to `output` at `to`. */
export interface Digests {
  /** What the owner signs: core's `signedMessage`. */
  writeMessage(bytes: Uint8Array, at: number, output: Buffer, to: number): void
  /** The leaf of the operations tree: H_t("kedge/op", bytes). */
  writeId(bytes: Uint8Array, at: number, output: Buffer, to: number): void
}

/**
 * They assemble hash inputs in buffers of their own, so a call allocates nothing but the digest.
 * @throws RangeError when the network's id is not 32 bytes.
 */
export function createDigests(network: Uint8Array): { readonly transfer: Digests; readonly withdrawal: Digests } {
  if (network.length !== HASH_BYTES) throw new RangeError(`a network's id has 32 bytes, not ${network.length}`)
  return {
    transfer: digestsOf('kedge/transfer/1', network, TRANSFER_BYTES, [
      [FROM_AT, TO_CELL_AT],
      [FLAGS_AT, SIGNATURE_AT],
    ]),
    withdrawal: digestsOf('kedge/withdrawal/1', network, WITHDRAWAL_BYTES, [
      [FROM_AT, WITHDRAWAL_BYTES - SIGNATURE_BYTES],
    ]),
  }
}

/** @param runs of the operation's bytes, from and to, that are signed */
function digestsOf(
  tag: string,
  network: Uint8Array,
  size: number,
  runs: readonly (readonly [number, number])[],
): Digests {
  const length = runs.reduce((sum, [from, end]) => sum + end - from, 0)
  const signed = Buffer.concat([tagPrefix(tag), network, Buffer.alloc(length)])
  const operation = Buffer.concat([tagPrefix('kedge/op'), Buffer.alloc(size)])
  return {
    writeMessage(bytes, at, output, to) {
      let next = PREFIX_BYTES + HASH_BYTES
      for (const [from, end] of runs) {
        signed.set(bytes.subarray(at + from, at + end), next)
        next += end - from
      }
      writeSha256(signed, output, to)
    },
    writeId(bytes, at, output, to) {
      operation.set(bytes.subarray(at, at + size), PREFIX_BYTES)
      writeSha256(operation, output, to)
    },
  }
}

const PREFIX_BYTES = 64

/** BIP340's tagged hash starts with SHA256(tag) twice. */
function tagPrefix(tag: string): Buffer {
  const digest = hash('sha256', tag, 'buffer')
  return Buffer.concat([digest, digest])
}

// The digest travels as a string of 32 characters: allocating a Buffer for it takes twice the time of the hash itself.
function writeSha256(input: Buffer, output: Buffer, to: number): void {
  output.write(hash('sha256', input, 'binary'), to, 'binary')
}
