import { join } from 'node:path'
import {
  decodeHeader,
  decodeTotals,
  equalBytes,
  Ledger,
  networkId,
  type Params,
  Reader,
  readWhole,
  toHex,
} from '@kedge/core'
import {
  blocks,
  groupings,
  groups,
  headers,
  journal,
  links,
  marks,
  notices,
  operations,
  pages,
  Store,
} from '@kedge/storage'

/** What a node that has stopped has on its disk, read without the node's own code. */
export interface Archive {
  readonly name: string
  /** Every header it ever held, by its hash in hex: anchored or not, live or not. */
  readonly headers: ReadonlyMap<string, Uint8Array>
  /** What it derived from Bitcoin, block by block and link by link, as text: nodes must agree on it to the byte. */
  readonly derived: readonly string[]
  readonly head: { readonly number: number; readonly hash: string; readonly root: string }
  /** By header hash in hex. */
  readonly bodies: ReadonlyMap<string, readonly Uint8Array[]>
  /** A sequencer's accepted transfers that no sealed batch holds. */
  readonly open: readonly Uint8Array[]
}

export function dataFolder(networkFolder: string, name: string): string {
  return join(networkFolder, name, 'data')
}

/** The node must not run. */
export async function readArchive(networkFolder: string, name: string, params: Params): Promise<Archive> {
  const store = await Store.open(join(dataFolder(networkFolder, name), 'db'), networkId(params))
  try {
    return {
      name,
      headers: await readHeaders(store),
      derived: await readDerived(store),
      head: await readHead(store),
      bodies: await readBodies(store),
      open: await readOpen(store),
    }
  } finally {
    await store.close()
  }
}

async function readHeaders(store: Store): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  for await (const [hash, bytes] of store.range(headers)) found.set(toHex(hash), bytes)
  return found
}

async function readBodies(store: Store): Promise<Map<string, readonly Uint8Array[]>> {
  const found = new Map<string, readonly Uint8Array[]>()
  for await (const [hash, bytes] of store.range(operations)) found.set(toHex(hash), readWhole(bytes))
  for await (const [hash, range] of store.range(groupings)) {
    const body: Uint8Array[] = []
    for await (const [, group] of store.range(groups, range)) body.push(...readSized(group))
    found.set(toHex(hash), body)
  }
  return found
}

/** Coins are a node's own; everything else follows from Bitcoin alone. */
async function readDerived(store: Store): Promise<string[]> {
  const found: string[] = []
  for await (const [height, { hash, chain, facts }] of store.range(blocks))
    found.push(`block ${height} ${print({ hash, chain, facts })}`)
  for await (const [number, link] of store.range(links)) found.push(`link ${number} ${print(link)}`)
  for await (const [key, notice] of store.range(notices)) found.push(`notice ${toHex(key)} ${print(notice)}`)
  return found
}

async function readHead(store: Store): Promise<Archive['head']> {
  const ledger = new Ledger()
  const mark = await store.get(marks, 'snapshot')
  if (mark === undefined) return { number: 0, hash: '', root: toHex(ledger.root) }
  const reader = new Reader(mark)
  const [number, hash, totals] = [reader.u32(), toHex(reader.hash()), decodeTotals(reader.fixed(64))]
  if (totals === undefined || !reader.done) throw new Error('a snapshot mark that does not decode')
  const stored: Uint8Array[] = []
  for await (const [, page] of store.range(pages)) stored.push(page)
  ledger.load(stored, totals)
  return { number, hash, root: toHex(ledger.root) }
}

async function readOpen(store: Store): Promise<Uint8Array[]> {
  const found: Uint8Array[] = []
  for await (const [sequence] of store.range(journal)) {
    const group = await store.get(groups, sequence)
    if (group === undefined) throw new Error(`group ${sequence} of the journal is missing`)
    found.push(...readSized(group))
  }
  return found
}

function readSized(bytes: Uint8Array): Uint8Array[] {
  const reader = new Reader(bytes)
  const found: Uint8Array[] = []
  while (reader.left > 0 && !reader.failed) found.push(reader.sized(512))
  return found
}

function print(value: unknown): string {
  const plain = (_: string, each: unknown) => {
    if (each instanceof Uint8Array) return toHex(each)
    return typeof each === 'bigint' ? String(each) : each
  }
  return JSON.stringify(value, plain)
}

/** Headers that are two for one number, over all archives. */
export function findTwins(archives: readonly Archive[]): string[] {
  const byNumber = new Map<number, Uint8Array>()
  const twins: string[] = []
  for (const { name, headers: held } of archives) {
    for (const bytes of held.values()) {
      const number = decodeHeader(bytes)?.number
      if (number === undefined) continue
      const known = byNumber.get(number)
      if (known !== undefined && !equalBytes(known, bytes))
        twins.push(`${name} holds a second header for batch ${number}`)
      byNumber.set(number, bytes)
    }
  }
  return twins
}
