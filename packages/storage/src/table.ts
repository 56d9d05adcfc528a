import { Packr } from 'msgpackr'
import { DamagedError } from './errors.ts'

export type Write =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

/** One kind of record: keys in a space of their own, values with one encoding. */
export interface Table<K, V> {
  readonly name: string
  keyBytes(key: K): Uint8Array
  keyOf(bytes: Uint8Array): K
  /** @throws DamagedError. */
  decode(bytes: Uint8Array): V
  put(key: K, value: V): Write
  del(key: K): Write
  /** Bounds of the key space: first ≤ every key < end. */
  readonly first: Uint8Array
  readonly end: Uint8Array
}

interface KeyForm<K> {
  toBytes(key: K): Uint8Array
  fromBytes(bytes: Uint8Array): K
}

interface ValueForm<V> {
  toBytes(value: V): Uint8Array
  fromBytes(bytes: Uint8Array): V
}

/** Big-endian, so that keys sort as numbers do. */
export const u32Key: KeyForm<number> = {
  toBytes(key) {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, key)
    return bytes
  },
  fromBytes: (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0),
}

/** Below 2^48: for numbers that a node uses up all its life. */
export const u48Key: KeyForm<number> = {
  toBytes(key) {
    const bytes = new Uint8Array(6)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, Math.floor(key / 2 ** 32))
    view.setUint32(2, key % 2 ** 32)
    return bytes
  },
  fromBytes(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return view.getUint16(0) * 2 ** 32 + view.getUint32(2)
  },
}

export const bytesKey: KeyForm<Uint8Array> = { toBytes: (key) => key, fromBytes: (bytes) => Uint8Array.from(bytes) }

export const textKey: KeyForm<string> = {
  toBytes: (key) => new TextEncoder().encode(key),
  fromBytes: (bytes) => new TextDecoder().decode(bytes),
}

/** LevelDB gives Buffers, whose `slice` shares memory: everything else works on plain byte arrays. */
export const rawValue: ValueForm<Uint8Array> = {
  toBytes: (value) => value,
  fromBytes: (bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
}

/** Plain values in MessagePack: objects, lists, numbers, bigints, byte strings, text. */
export function packed<V>(): ValueForm<V> {
  return { toBytes: (value) => packr.pack(value), fromBytes: (bytes) => copyBytes(packr.unpack(bytes)) as V }
}

const packr = new Packr({ useRecords: false, int64AsType: 'bigint', mapsAsObjects: true, copyBuffers: true })

/** `prefix` is the table's own byte, from 1; each table has another. */
export function table<K, V>(prefix: number, name: string, key: KeyForm<K>, value: ValueForm<V>): Table<K, V> {
  const keyBytes = (k: K) => {
    const tail = key.toBytes(k)
    const bytes = new Uint8Array(1 + tail.length)
    bytes[0] = prefix
    bytes.set(tail, 1)
    return bytes
  }
  return {
    name,
    keyBytes,
    keyOf: (bytes) => key.fromBytes(bytes.subarray(1)),
    decode(bytes) {
      try {
        return value.fromBytes(bytes)
      } catch (cause) {
        throw new DamagedError(`a stored record of table ${name} can't be read`, { cause })
      }
    },
    put: (k, v) => ({ type: 'put', key: keyBytes(k), value: value.toBytes(v) }),
    del: (k) => ({ type: 'del', key: keyBytes(k) }),
    first: Uint8Array.of(prefix),
    end: Uint8Array.of(prefix + 1),
  }
}

/** MessagePack gives Buffers; the rest of the code compares and slices plain byte arrays. */
function copyBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(copyBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyBytes(inner)]))
}
