import { equalBytes, fromHex, toHex } from '@kedge/core'
import { Level } from 'level'
import { DamagedError, StoreError } from './errors.ts'
import { decodeFormat, encodeFormat, FORMAT, FORMAT_KEY, FormatError } from './format.ts'
import type { Table, Write } from './table.ts'

/**
 * A node's LevelDB. Everything that belongs together is written by one `commit`: all of it or nothing, on disk when
 * the promise resolves.
 */
export class Store {
  private readonly level: Level<Uint8Array, Uint8Array>

  private constructor(level: Level<Uint8Array, Uint8Array>) {
    this.level = level
  }

  /** @throws StoreError when the folder is in use, damaged, of another format, or holds another network's data. */
  static async open(folder: string, network: Uint8Array): Promise<Store> {
    const level = new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view', ...TUNING })
    try {
      await level.open()
    } catch (cause) {
      throw explainOpen(folder, cause)
    }
    const store = new Store(level)
    try {
      await store.claim(folder, network)
    } catch (error) {
      await level.close()
      throw error
    }
    return store
  }

  async get<K, V>(table: Table<K, V>, key: K): Promise<V | undefined> {
    const bytes = await this.level.get(table.keyBytes(key)).catch(explainRead)
    return bytes === undefined ? undefined : table.decode(bytes)
  }

  /** Records in key order, between bounds of the table's own keys. */
  async *range<K, V>(table: Table<K, V>, range: Range<K> = {}): AsyncGenerator<readonly [K, V]> {
    const { from, to, reverse = false, limit = -1 } = range
    const bounds = {
      gte: from === undefined ? table.first : table.keyBytes(from),
      lt: to === undefined ? table.end : table.keyBytes(to),
    }
    try {
      for await (const [key, value] of this.level.iterator({ ...bounds, reverse, limit }))
        yield [table.keyOf(key), table.decode(value)]
    } catch (error) {
      explainRead(error)
    }
  }

  /** One atomic, synced write. */
  async commit(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return
    await this.level.batch([...writes], { sync: true })
  }

  async close(): Promise<void> {
    await this.level.close()
  }

  /** Refuses a folder of another format or network, and makes an empty one this network's, in one synced write. */
  private async claim(folder: string, network: Uint8Array): Promise<void> {
    const format = await this.level.get(FORMAT_KEY)
    if (format === undefined && (await this.isEmpty())) {
      await this.commit([
        { type: 'put', key: FORMAT_KEY, value: encodeFormat(FORMAT) },
        { type: 'put', key: OWNER_KEY, value: network },
      ])
      return
    }
    const found = format && decodeFormat(format)
    if (found !== FORMAT) throw new FormatError(folder, found)
    const owner = await this.level.get(OWNER_KEY)
    if (owner === undefined) throw new DamagedError(`${folder} does not say which network it holds`)
    if (!equalBytes(owner, network)) {
      throw new StoreError(
        `${folder} holds the data of network ${toHex(owner)}, not of ${toHex(network)}: use another data folder`,
      )
    }
  }

  private async isEmpty(): Promise<boolean> {
    for await (const _ of this.level.keys({ limit: 1 })) return false
    return true
  }
}

/**
 * Most of what is written are batches, which is signatures and hashes: nothing to compress. With LevelDB's own 4 MiB of
 * write buffer one thread of the machine would do little else than merge files (measured at 45,000 transfers a second).
 */
const TUNING = { compression: false, writeBufferSize: 64 * 2 ** 20 } as const

export interface Range<K> {
  /** Inclusive. */
  readonly from?: K
  /** Exclusive. */
  readonly to?: K
  readonly reverse?: boolean
  readonly limit?: number
}

const OWNER_KEY = fromHex('00')

function explainOpen(folder: string, cause: unknown): StoreError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  if (codeOf(inner) === 'LEVEL_LOCKED')
    return new StoreError(`${folder} is in use by another process: stop it first, or use another data folder`, {
      cause,
    })
  const what = `${folder} can't be opened as a database: ${inner instanceof Error ? inner.message : String(inner)}`
  // A file that the others name is gone, or says something else.
  const isDamaged = codeOf(inner) === 'LEVEL_CORRUPTION' || /MANIFEST.*No such file/.test(what)
  return isDamaged ? new DamagedError(what, { cause }) : new StoreError(what, { cause })
}

/** @throws DamagedError for what LevelDB's checksums refuse */
function explainRead(error: unknown): never {
  if (error instanceof Error && codeOf(error) === 'LEVEL_CORRUPTION')
    throw new DamagedError(error.message, { cause: error })
  throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
