import { hash } from 'node:crypto'
import { TRANSFER_BYTES } from '@kedge/core'
import { FLAGS_AT, FROM_AT, HASH_BYTES, SIGNATURE_AT, TO_CELL_AT } from './rows.ts'

/** The two hashes of a transfer. `bytes` holds its 174 bytes at `at`; 32 bytes are written to `output` at `to`. */
export interface Digests {
  /** What the payer signs: H_t("kedge/transfer/1", network, from … to key, flags … memo). */
  writeMessage(bytes: Uint8Array, at: number, output: Buffer, to: number): void
  /** The leaf of the operations tree: H_t("kedge/op", bytes). */
  writeId(bytes: Uint8Array, at: number, output: Buffer, to: number): void
}

/**
 * Assembles hash inputs in two buffers of its own, so a call allocates nothing but the digest.
 * @throws RangeError when the network's id is not 32 bytes.
 */
export function createDigests(network: Uint8Array): Digests {
  if (network.length !== HASH_BYTES) throw new RangeError(`a network's id has 32 bytes, not ${network.length}`)
  const signed = Buffer.concat([
    tagPrefix('kedge/transfer/1'),
    network,
    Buffer.alloc(TO_CELL_AT - FROM_AT + SIGNATURE_AT - FLAGS_AT),
  ])
  const head = PREFIX_BYTES + HASH_BYTES
  const operation = Buffer.concat([tagPrefix('kedge/op'), Buffer.alloc(TRANSFER_BYTES)])
  return {
    writeMessage(bytes, at, output, to) {
      signed.set(bytes.subarray(at + FROM_AT, at + TO_CELL_AT), head)
      signed.set(bytes.subarray(at + FLAGS_AT, at + SIGNATURE_AT), head + TO_CELL_AT - FROM_AT)
      writeSha256(signed, output, to)
    },
    writeId(bytes, at, output, to) {
      operation.set(bytes.subarray(at, at + TRANSFER_BYTES), PREFIX_BYTES)
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
