import {
  BatchExecution,
  buildHeader,
  checkBatch,
  decodePart,
  decodeTransfer,
  encodeTransfer,
  encodeWhole,
  installHasher,
  type Ledger,
  operationId,
  readWhole,
  TRANSFER_BYTES,
  type Transfer,
  ZERO_HASH,
} from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { type Case, measureRounds, toPerSecond } from './rounds.ts'
import type { Measurement } from './row.ts'
import { BATCH, context, largeLedger, network, noSlots, origin, othersKeys, Traffic } from './world.ts'

/** What one thread can do with transfers whose signatures and ids others have checked and computed. */
export function measureBatch(name: '1e5' | '1e6', rounds: number): Measurement {
  return {
    rows: [`batch.build.${name}`, `batch.check.${name}`],
    does: `builds batches of ${BATCH} transfers among ${name} accounts from bytes to what is stored, and re-executes them`,
    async run() {
      installHasher(fastestHasher())
      const [building, checking] = [largeLedger(Number(name)), largeLedger(Number(name))]
      const built: Built[] = []
      const build = buildCase(building, new Traffic(Number(name)), built)
      // One batch ahead, whichever comes first in a round.
      await build.prepare()()
      const spreads = await measureRounds({ build, check: checkCase(checking, built) }, rounds)
      const unit = 'transfers/s'
      return [
        { name: `batch.build.${name}`, unit, ...toPerSecond(spreads.build) },
        { name: `batch.check.${name}`, unit, ...toPerSecond(spreads.check) },
      ]
    },
  }
}

/** Transfers a second that one thread builds into batches. */
export async function measureBuilding(accounts: number): Promise<number> {
  installHasher(fastestHasher())
  const build = buildCase(largeLedger(accounts), new Traffic(accounts), [])
  return toPerSecond((await measureRounds({ build }, 10)).build).value
}

interface Built {
  readonly hash: Uint8Array
  readonly data: Uint8Array
}

interface Row {
  readonly bytes: Uint8Array
  readonly id: Uint8Array
  readonly owner: Uint8Array
}

/** As they come out of the workers' memory: bytes (a request's together), id, and the key that signed. */
function rowsOf(transfers: readonly Transfer[]): Row[] {
  const all = new Uint8Array(TRANSFER_BYTES * transfers.length)
  return transfers.map((transfer, at) => {
    const bytes = all.subarray(TRANSFER_BYTES * at, TRANSFER_BYTES * (at + 1))
    bytes.set(encodeTransfer(transfer))
    return { bytes, id: operationId(bytes), owner: othersKeys(transfer.from) }
  })
}

function buildCase(ledger: Ledger, traffic: Traffic, built: Built[]): Case {
  return {
    prepare() {
      const rows = rowsOf(traffic.batch(built.length))
      return () => {
        built.push(buildBatch(ledger, rows, built.length + 1, built.at(-1)?.hash ?? ZERO_HASH))
        return BATCH
      }
    },
  }
}

function buildBatch(ledger: Ledger, rows: readonly Row[], number: number, parent: Uint8Array): Built {
  const execution = new BatchExecution(context, ledger)
  for (const { bytes, id, owner } of rows) {
    const transfer = decodeTransfer(bytes)
    const refusal = transfer === undefined ? 'undecodable' : execution.add(transfer, bytes, id, owner)
    if (refusal !== undefined) throw new Error(`a transfer of the benchmark is refused: ${refusal}`)
  }
  const sealed = execution.seal()
  const { bytes: headerBytes, hash } = buildHeader({ network, number, parent, origin }, sealed, noSlots)
  encodeWhole('steps', { ...sealed, headerBytes })
  return { hash, data: encodeWhole('data', { ...sealed, headerBytes }) }
}

/** What comes from a peer is proven against the header hash, then executed. */
function checkCase(ledger: Ledger, built: readonly Built[]): Case {
  let next = 0
  return {
    prepare() {
      const { hash, data } = built[next] as Built
      const operations = readWhole(data)
      const ids = operations.map(operationId)
      const signers = operations.map((bytes) => othersKeys((decodeTransfer(bytes) as Transfer).from))
      return () => {
        const part = decodePart('data', hash, data)
        const checked = part && checkBatch(context, ledger, part.header, part.operations, ids, signers)
        if (checked?.ok !== true) throw new Error(`batch ${next + 1} does not check`)
        next++
        return BATCH
      }
    },
  }
}
