import { setTimeout } from 'node:timers/promises'
import { type CellTree, decodeSigned, operationId } from '@kedge/core'
import { type Chunk, isRowValid, readRowId, type Verifier, writeRow } from '@kedge/signatures'

/** Ids of operations, and by index the key that a transfer or a withdrawal was found signed by. */
export interface Presigned {
  readonly ids: readonly Uint8Array[]
  readonly signers: readonly (Uint8Array | undefined)[]
}

/** Rows to a chunk: several chunks keep all threads busy. */
const CHUNK_ROWS = 1024

/**
 * Checks the signatures of transfers and withdrawals in the verifier's threads, against the owners that cells have now. Who pays from a cell
 * that the same batch creates has no owner yet: that signature is left to the execution.
 */
export async function checkSignatures(
  verifier: Verifier,
  tree: CellTree,
  operations: readonly Uint8Array[],
): Promise<Presigned> {
  const ids: Uint8Array[] = new Array(operations.length)
  const signers: (Uint8Array | undefined)[] = new Array(operations.length)
  const rows: Row[] = []
  for (const [index, bytes] of operations.entries()) {
    const signed = decodeSigned(bytes)
    if (signed !== undefined && signed.from < tree.count) rows.push({ index, bytes, owner: tree.owner(signed.from) })
    else ids[index] = operationId(bytes)
  }
  const chunks: Promise<void>[] = []
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    const part = rows.slice(start, start + CHUNK_ROWS)
    const chunk = await claim(verifier, part.length)
    chunks.push(check(verifier, chunk, part, ids, signers))
  }
  await Promise.all(chunks)
  return { ids, signers }
}

interface Row {
  readonly index: number
  readonly bytes: Uint8Array
  readonly owner: Uint8Array
}

async function check(
  verifier: Verifier,
  chunk: Chunk,
  rows: readonly Row[],
  ids: Uint8Array[],
  signers: (Uint8Array | undefined)[],
): Promise<void> {
  rows.forEach(({ owner, bytes }, at) => {
    writeRow(chunk.rows, at, owner, bytes)
  })
  try {
    await verifier.verify(chunk)
    rows.forEach(({ index, owner }, at) => {
      ids[index] = readRowId(chunk.rows, at)
      signers[index] = isRowValid(chunk.rows, at) ? owner : undefined
    })
  } finally {
    verifier.release(chunk)
  }
}

/** Waits for room: this caller has a batch to judge and nobody to turn away. */
async function claim(verifier: Verifier, count: number): Promise<Chunk> {
  for (let chunk = verifier.claim(count); ; chunk = verifier.claim(count)) {
    if (chunk !== undefined) return chunk
    await setTimeout(2)
  }
}
