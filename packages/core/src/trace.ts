import { encodeAccount } from './cell.ts'
import { hashPair, hashRecord, ZERO_HASH, zeroHash } from './hash.ts'
import { depthOf, type NodeAt } from './merkle.ts'
import {
  applyOperation,
  type Cells,
  type CellUpdate,
  type Context,
  encodeOperation,
  type Operation,
  type Refusal,
  touchedCells,
} from './operation.ts'
import { encodeTotals, type Totals } from './totals.ts'

/**
 * One operation's execution as a sequence of named values, each of which follows from named ones before it by one small
 * rule: the state is opened; each cell that changes goes from its record up to the root, and up again as what it becomes;
 * the state is closed. Where somebody claims another state after the operation, one of his values breaks its rule, and that
 * one statement is all that a judge of little strength has to look at. The rule of the ledger itself is `applyOperation`,
 * as everywhere.
 *
 * Names: `operation`, `totals`, `totals.leaf`, `cells`, `state`; where the tree gets deeper, `cells.grown`; for the k-th
 * cell that is read or changed `k.record`, `k.node.0` (its leaf) to `k.node.depth`, with `k.sibling.level` between;
 * `k.root`, where it joins what was the root before; where it changes, `k.record'` and `k.node'.0` to `k.node'.depth`; at
 * last `totals'`, `totals.leaf'`, `state'`.
 */
export interface TraceValue {
  readonly name: string
  /** A hash of 32 bytes, a record of 64, or the operation's bytes. */
  readonly value: Uint8Array
  readonly rule: TraceRule
}

/**
 * - `given`: what was committed to before, or what a path shows
 * - `absent`: a node at this level with no cell below it
 * - `record`: the hash of a record
 * - `pair`: the hash of two nodes
 * - `equal`: to both
 * - `applied`: what `applyOperation` makes of the operation, the records and the totals
 */
export type TraceRule =
  | { readonly kind: 'given' }
  | { readonly kind: 'absent'; readonly level: number }
  | { readonly kind: 'record'; readonly of: string }
  | { readonly kind: 'pair'; readonly left: string; readonly right: string }
  | { readonly kind: 'equal'; readonly to: readonly [string, string] }
  | { readonly kind: 'applied'; readonly to: number | 'totals' }

export type Trace =
  | {
      readonly ok: true
      readonly values: readonly TraceValue[]
      /** Those that the operation reads or changes, ascending. */
      readonly cells: readonly number[]
    }
  | { readonly ok: false; readonly refusal: Refusal }

/** The ledger before the operation. */
export interface TracedState {
  readonly cells: Cells
  readonly totals: Totals
  /** Of the tree of cells, as `proveLeaves` asks for them. */
  readonly nodeAt: NodeAt
}

const GIVEN: TraceRule = { kind: 'given' }

/** @throws MissingCellError for a cell that was not supplied */
export function traceOperation(context: Context, before: TracedState, operation: Operation): Trace {
  const { cells, totals } = before
  const outcome = applyOperation(context, cells, totals, operation)
  if (!outcome.ok) return outcome
  const writer = new TraceWriter()
  writer.add('operation', encodeOperation(operation), GIVEN)
  writer.add('cells', before.nodeAt(depthOf(totals.count), 0).slice(), GIVEN)
  writer.state('', 'cells', encodeTotals(totals), GIVEN)
  const traced = tracedCells(operation, totals, outcome.updates)
  const last = addCells(writer, before, traced, outcome.updates)
  writer.state("'", last, encodeTotals(outcome.totals), { kind: 'applied', to: 'totals' })
  return { ok: true, values: writer.values, cells: traced }
}

/** Cells that the operation reads or changes; one that it would create, and does not, is none. */
function tracedCells(operation: Operation, { count }: Totals, updates: readonly CellUpdate[]): readonly number[] {
  const touched = touchedCells(operation, count)
  return touched.filter((cell) => cell < count || updates.some((update) => update.cell === cell))
}

/** Gives the name of the root of the cells after the operation. */
function addCells(
  writer: TraceWriter,
  { cells, totals: { count }, nodeAt }: TracedState,
  traced: readonly number[],
  updates: readonly CellUpdate[],
): string {
  const depth = depthOf(Math.max(count, ...traced.map((cell) => cell + 1)))
  let root = depth > depthOf(count) && count > 0 ? grown(writer, depthOf(count)) : 'cells'
  const changed: Path[] = []
  for (const [at, cell] of traced.entries()) {
    const path: Path = { at, cell }
    if (cell < count) {
      writer.add(`${at}.record`, encodeAccount(cells.account(cell)), GIVEN)
      writer.record(`${at}.node.0`, `${at}.record`)
    } else writer.add(`${at}.node.0`, ZERO_HASH, { kind: 'absent', level: 0 })
    for (let level = 0; level < depth; level++) {
      addSibling(writer, { changed, count, nodeAt }, path, level)
      addNode(writer, path, level, '')
    }
    const top = `${at}.node.${depth}`
    writer.add(`${at}.root`, writer.at(top), { kind: 'equal', to: [top, root] })
    const update = updates.find((each) => each.cell === cell)
    if (update === undefined) continue
    writer.add(`${at}.record'`, encodeAccount(update.account), { kind: 'applied', to: cell })
    writer.record(`${at}.node'.0`, `${at}.record'`)
    for (let level = 0; level < depth; level++) addNode(writer, path, level, "'")
    root = `${at}.node'.${depth}`
    changed.push(path)
  }
  return root
}

/** The tree gets deeper: what it was is the left half. */
function grown(writer: TraceWriter, depth: number): string {
  writer.add('cells.right', zeroHash(depth), { kind: 'absent', level: depth })
  return writer.pair('cells.grown', 'cells', 'cells.right')
}

interface Path {
  readonly at: number
  readonly cell: number
}

/** Beside a path: what a cell before made of it, nothing, or the tree's node. */
function addSibling(
  writer: TraceWriter,
  { changed, count, nodeAt }: { readonly changed: readonly Path[]; readonly count: number; readonly nodeAt: NodeAt },
  { at, cell }: Path,
  level: number,
): void {
  const name = `${at}.sibling.${level}`
  const index = Math.floor(cell / 2 ** level) ^ 1
  const earlier = changed.findLast((path) => Math.floor(path.cell / 2 ** level) === index)
  if (earlier !== undefined) {
    const from = `${earlier.at}.node'.${level}`
    writer.add(name, writer.at(from), { kind: 'equal', to: [from, from] })
  } else if (index * 2 ** level >= count) writer.add(name, zeroHash(level), { kind: 'absent', level })
  else writer.add(name, nodeAt(level, index).slice(), GIVEN)
}

function addNode(writer: TraceWriter, { at, cell }: Path, level: number, prime: '' | "'"): void {
  const [node, sibling] = [`${at}.node${prime}.${level}`, `${at}.sibling.${level}`]
  const isLeft = Math.floor(cell / 2 ** level) % 2 === 0
  writer.pair(`${at}.node${prime}.${level + 1}`, isLeft ? node : sibling, isLeft ? sibling : node)
}

class TraceWriter {
  readonly values: TraceValue[] = []
  private readonly byName = new Map<string, Uint8Array>()

  at(name: string): Uint8Array {
    return valueAt(this.byName, name)
  }

  add(name: string, value: Uint8Array, rule: TraceRule): string {
    this.values.push({ name, value, rule })
    this.byName.set(name, value)
    return name
  }

  record(name: string, of: string): string {
    return this.add(name, hashRecord(this.at(of)), { kind: 'record', of })
  }

  pair(name: string, left: string, right: string): string {
    return this.add(name, hashPair(this.at(left), this.at(right)), { kind: 'pair', left, right })
  }

  /** Totals and the root of the cells under one root. */
  state(prime: '' | "'", cells: string, totals: Uint8Array, rule: TraceRule): void {
    this.add(`totals${prime}`, totals, rule)
    this.record(`totals.leaf${prime}`, `totals${prime}`)
    this.pair(`state${prime}`, cells, `totals.leaf${prime}`)
  }
}

/** @throws RangeError where the trace has no such name */
export function valueAt(byName: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const value = byName.get(name)
  if (value === undefined) throw new RangeError(`the trace has no ${name}`)
  return value
}
