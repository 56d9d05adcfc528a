import {
  applyOperation,
  equalBytes,
  type Hasher,
  hashInto,
  installHasher,
  type Ledger,
  stateRoot,
  type Totals,
  type Transfer,
} from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { PathTree } from './path-tree.ts'
import { type Case, measureRounds, toMicroseconds } from './rounds.ts'
import type { Measurement } from './row.ts'
import { BATCH, context, largeLedger, Traffic } from './world.ts'

/** What it costs to apply a batch of random transfers and to hash the state after it, or after each of them. */
export function measureTree(name: '1e5' | '1e6', rounds: number): Measurement {
  const unit = 'µs/transfer'
  return {
    rows: [`tree.root.${name}`, `tree.stepRoots.${name}`],
    does: `applies batches of ${BATCH} random transfers to ${name} accounts, and hashes one state root, then all`,
    async run() {
      const hasher = fastestHasher()
      installHasher(hasher)
      const worlds = worldsOf(Number(name))
      const { root, steps, naive, hash } = await measureRounds({ ...worlds, hash: hashesAlone(hasher) }, rounds)
      refuseDisagreement(worlds)
      const limitOf = (world: World) => (world.countHashes(hasher) * toMicroseconds(hash).value) / BATCH
      const peers = { 'one path after the other': toMicroseconds(naive).value }
      return [
        { name: `tree.root.${name}`, unit, ...toMicroseconds(root), limit: limitOf(worlds.root) },
        { name: `tree.stepRoots.${name}`, unit, ...toMicroseconds(steps), limit: limitOf(worlds.steps), peers },
      ]
    },
  }
}

/** Executes transfers. @returns the state root after the last one */
type Execute = (transfers: readonly Transfer[]) => Uint8Array

function worldsOf(count: number) {
  const traffic = new Traffic(count)
  return {
    root: new World(traffic, oneRoot(largeLedger(count))),
    steps: new World(traffic, everyRoot(largeLedger(count))),
    naive: new World(traffic, pathByPath(largeLedger(count))),
  }
}

/** One way to execute; all of them execute the same batches. */
class World implements Case {
  private readonly traffic: Traffic
  private readonly execute: Execute
  private batches = 0
  last: Uint8Array | undefined

  constructor(traffic: Traffic, execute: Execute) {
    this.traffic = traffic
    this.execute = execute
  }

  prepare(): () => number {
    const transfers = this.traffic.batch(this.batches++)
    return () => {
      this.last = this.execute(transfers)
      return BATCH
    }
  }

  countHashes(hasher: Hasher): number {
    let hashes = 0
    const hashAndCount: Hasher['hashInto'] = (input, output) => {
      hashes += output.length / 32
      hasher.hashInto(input, output)
    }
    const work = this.prepare()
    installHasher({ ...hasher, hashInto: hashAndCount })
    hashes = 0
    work()
    installHasher(hasher)
    return hashes
  }
}

/** What a node does that applies a batch again: all cells, then one root. */
function oneRoot({ tree, totals: start }: Ledger): Execute {
  let totals = start
  return (transfers) => {
    const touched = new Set<number>()
    for (const transfer of transfers) {
      const outcome = outcomeOf(tree, totals, transfer)
      for (const { cell, account } of outcome.updates) {
        tree.put(cell, account)
        touched.add(cell)
      }
      totals = outcome.totals
    }
    const cell = [...touched]
    const cells = new Uint8Array(64 * cell.length)
    for (const [at, each] of cell.entries()) cells.set(tree.page(each, 1), 64 * at)
    const leaves = new Uint8Array(32 * cell.length)
    hashInto(cells, leaves)
    tree.rehash({ count: cell.length, cell, step: new Uint32Array(cell.length), leaves }, 0, () => totals.count)
    return stateRoot(tree.root(), totals)
  }
}

/** What a sequencer does, and a node that checks. */
function everyRoot(ledger: Ledger): Execute {
  return (transfers) => {
    for (const transfer of transfers) {
      const { updates, totals } = outcomeOf(ledger.tree, ledger.totals, transfer)
      ledger.apply(updates, totals)
    }
    return ledger.seal().roots.slice(-32)
  }
}

/** The obvious way to every root. */
function pathByPath({ tree, totals: start }: Ledger): Execute {
  const paths = new PathTree(tree)
  let totals = start
  return (transfers) => {
    let root: Uint8Array = new Uint8Array(32)
    for (const transfer of transfers) {
      const outcome = outcomeOf(tree, totals, transfer)
      for (const { cell, account } of outcome.updates) {
        tree.put(cell, account)
        root = paths.update(cell, tree.page(cell, 1))
      }
      totals = outcome.totals
      root = stateRoot(root, totals)
    }
    return root
  }
}

function outcomeOf(tree: Ledger['tree'], totals: Totals, transfer: Transfer) {
  const outcome = applyOperation(context, tree, totals, transfer)
  if (!outcome.ok) throw new Error(`a transfer of the benchmark is refused: ${outcome.refusal}`)
  return outcome
}

/** Layers of hashes and nothing else: what the tree can't be faster than. */
function hashesAlone(hasher: Hasher): Case {
  const pairs = new Uint8Array(64 * BATCH)
  const parents = new Uint8Array(32 * BATCH)
  return {
    prepare: () => () => {
      for (let pass = 0; pass < 16; pass++) hasher.hashInto(pairs, parents)
      return 16 * BATCH
    },
  }
}

/** Different ways to one state: a benchmark that computes something else measures nothing. */
function refuseDisagreement({ root, steps, naive }: Record<'root' | 'steps' | 'naive', World>): void {
  const [first, ...others] = [root, steps, naive].map(({ last }) => last)
  if (first === undefined || others.some((other) => other === undefined || !equalBytes(first, other)))
    throw new Error('one way to hash the state gives another root than the others')
}
