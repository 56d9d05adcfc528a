import { IN_AN_EMPTY_ONE, StoreError } from './errors.ts'

/**
 * The layout that is on disk: tables, keys and values (`records.ts`), and what they rest on. Whoever changes it so that a
 * folder written before can't be read, or a program from before would read it wrongly, takes the next number.
 */
export const FORMAT = 1

/** Where the number stands, in every format: nothing else is read before it. */
export const FORMAT_KEY = Uint8Array.of(0, 1)

export function encodeFormat(format: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, format)
  return bytes
}

/** Undefined for what is no number. */
export function decodeFormat(bytes: Uint8Array): number | undefined {
  return bytes.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) : undefined
}

/** A folder that another version of the program wrote. */
export class FormatError extends StoreError {
  override readonly name = 'FormatError'
  readonly folder: string
  /** Undefined where records are there, and no number that can be read. */
  readonly found: number | undefined
  readonly needed: number = FORMAT

  constructor(folder: string, found: number | undefined) {
    const has = found === undefined ? 'holds records without a format number' : `is of format ${found}`
    super(`${folder} ${has}, and this version of Kedge reads format ${FORMAT} alone. ${REMEDY}`)
    this.folder = folder
    this.found = found
  }
}

const REMEDY =
  `Run the version that wrote it; or move the folder away and start with an empty one: ${IN_AN_EMPTY_ONE}, so first let ` +
  'the version that wrote the folder anchor all of it, and stop whatever else has the key. The folder of an operator’s bonds is never given up: without it they can’t be returned'
