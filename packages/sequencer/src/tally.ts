import { type FileHandle, open } from 'node:fs/promises'
import { decodeLine, encodeLine, type SlotLine } from '@kedge/bond'
import { concatBytes, equalBytes, Reader, sha256, Writer } from '@kedge/core'
import { DamagedError } from '@kedge/storage'

/** Where the slot key was used last: in the table of the newest batch that this key has one for. */
export interface TallyEntry {
  readonly number: number
  readonly salt: Uint8Array
  readonly ticks: SlotLine
}

/** Each in a block of its own, so that a torn write leaves the other. */
const PLACES = 2
const BLOCK_BYTES = 512
const LINE_BYTES = 36

/**
 * The other half of the record of slots, in a small file beside the key, away from the data folder: where the two don't
 * match, the folder is a copy that was made before. Written behind the folder and before a signature leaves, some 0.2 ms
 * on a disk that takes 2 for the folder; so a crash leaves the folder ahead, never behind.
 */
export class Tally {
  private readonly file: FileHandle
  private entry: TallyEntry | undefined
  private sequence: number

  private constructor(file: FileHandle, sequence: number, entry: TallyEntry | undefined) {
    this.file = file
    this.sequence = sequence
    this.entry = entry
  }

  /** Makes the file where there is none. @throws DamagedError */
  static async open(path: string): Promise<Tally> {
    const file = await open(path, 'a').then(async (made) => {
      await made.close()
      return open(path, 'r+')
    })
    try {
      const bytes = Uint8Array.from(await file.readFile())
      if (bytes.length > 0) return fromBytes(path, bytes, (sequence, entry) => new Tally(file, sequence, entry))
      await file.write(new Uint8Array(PLACES * BLOCK_BYTES), 0, PLACES * BLOCK_BYTES, 0)
      await file.sync()
      return new Tally(file, 0, undefined)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Undefined in a file that was just made. */
  get last(): TallyEntry | undefined {
    return this.entry
  }

  /** On disk when it resolves. One after another. */
  async note(entry: TallyEntry): Promise<void> {
    const sequence = this.sequence + 1
    await this.file.write(blockOf(sequence, entry), 0, BLOCK_BYTES, BLOCK_BYTES * (sequence % PLACES))
    await this.file.datasync()
    this.sequence = sequence
    this.entry = entry
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

function fromBytes(path: string, bytes: Uint8Array, make: (sequence: number, entry?: TallyEntry) => Tally): Tally {
  const blocks = Array.from({ length: PLACES }, (_, at) =>
    readBlock(bytes.slice(BLOCK_BYTES * at, BLOCK_BYTES * (at + 1))),
  )
  const [first, second] = blocks
  const newest = (first?.sequence ?? 0) > (second?.sequence ?? 0) ? first : second
  if (newest !== undefined) return make(newest.sequence, newest.entry)
  // Nothing was ever noted: else at least one block would be whole.
  if (bytes.every((byte) => byte === 0)) return make(0)
  throw new DamagedError(`${path}: the record of the last slot can’t be read`)
}

function blockOf(sequence: number, { number, salt, ticks }: TallyEntry): Uint8Array {
  const body = new Writer(76).u32(sequence).u32(number).hash(salt).fixed(encodeLine(ticks), LINE_BYTES).bytes
  const block = new Uint8Array(BLOCK_BYTES)
  block.set(concatBytes(body, sha256(body)))
  return block
}

/** Undefined for a block that is empty, or was torn. */
function readBlock(block: Uint8Array): { readonly sequence: number; readonly entry: TallyEntry } | undefined {
  const reader = new Reader(block.slice(0, 76))
  const [sequence, number, salt] = [reader.u32(), reader.u32(), reader.hash()]
  const ticks = decodeLine(reader.fixed(LINE_BYTES))
  const isWhole = equalBytes(sha256(block.slice(0, 76)), block.slice(76, 108))
  return ticks !== undefined && isWhole ? { sequence, entry: { number, salt, ticks } } : undefined
}
