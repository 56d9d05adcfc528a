import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { type Document, documentToJson, encodeDocument, MAX_DOCUMENT_BYTES } from '@kedge/core'
import { ConfigError } from './config-error.ts'
import { readBytes } from './text-file.ts'

/** Files that hold a receipt or a payment proof. */

/** As JSON they are twice as long, and say a little more. */
const FILE_BYTES_MAX = 2 * MAX_DOCUMENT_BYTES + 1000

/** A file that is new and empty, until it is written or taken away. */
export interface DocumentFile {
  write(document: Document): void
  discard(): void
}

/** @throws ConfigError where there is a file already: a proof is never written over another. */
export function newDocumentFile(path: string): DocumentFile {
  const fd = create(path)
  return {
    write(document) {
      const isJson = path.endsWith('.json')
      const bytes = isJson ? `${JSON.stringify(documentToJson(document), null, 2)}\n` : encodeDocument(document)
      writeSync(fd, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes)
      fsyncSync(fd)
      closeSync(fd)
    },
    discard() {
      closeSync(fd)
      unlinkSync(path)
    },
  }
}

function create(path: string): number {
  try {
    return openSync(path, 'wx')
  } catch (cause) {
    throw new ConfigError(`${path}: nothing was written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}

/** @throws ConfigError when it can't be read. */
export function readDocumentFile(path: string): Uint8Array {
  return readBytes(path, FILE_BYTES_MAX)
}

/** Undefined for bytes that are no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
