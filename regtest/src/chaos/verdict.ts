import {
  type Breach,
  decodeHeader,
  decodeOperation,
  decodeReceipt,
  headOf,
  judgePromise,
  MerkleLog,
  networkId,
  operationId,
  type Params,
  showPromise,
  showTick,
  toHex,
  transferMessage,
} from '@kedge/core'
import type { RegtestNetwork } from '../network.ts'
import { type Archive, findTwins, readArchive } from './archive.ts'
import type { Load } from './load.ts'
import { balancesOf, bodiesOf, deriveTruth, type Truth } from './truth.ts'

export interface Verdict {
  /** What does not hold. Empty when all is well. */
  readonly faults: readonly string[]
  /** What anybody could hold against the sequencer. Empty where it is honest, and was not dead for too long. */
  readonly broken: readonly string[]
  readonly truth: Truth
  readonly archives: readonly Archive[]
}

/**
 * Holds the disks of all nodes, which must have stopped, and every acknowledgement against what Bitcoin's blocks say.
 * Nothing may wait: each acknowledged transfer has to be in a live batch, or in the journal of the open one.
 */
export async function judge(network: RegtestNetwork, load: Load, nodes = network.nodes): Promise<Verdict> {
  const { folder, params, bitcoind } = network
  const archives: Archive[] = []
  for (const { name } of nodes) archives.push(await readArchive(folder, name, params))
  const truth = await deriveTruth(bitcoind.rpc, params, bodiesOf(archives))
  const faults = [
    ...load.faults,
    ...findTwins(sealedOf(network, archives, truth)),
    ...findDoubleSignings(load, archives),
    ...findStrangers(archives, truth),
    ...findLost(load, truth, openIds(archives, networkId(params))),
    ...findDisagreements(archives, truth),
    ...findMissingMoney(truth),
  ]
  const broken = findBrokenPromises(params, load, truth, archives)
  return { faults: shorten(faults), broken: shorten(broken), truth, archives }
}

/**
 * The archives without headers that watchers were only asked to vouch for: a sequencer that dies while it asks may seal
 * less than that (`sealGrown`). What it sealed is on its own disk, or on Bitcoin.
 */
function sealedOf(network: RegtestNetwork, archives: readonly Archive[], { anchored }: Truth): readonly Archive[] {
  if (network.params.data?.kind !== 'certified') return archives
  const own = archives.find(({ name }) => name === network.sequencer.name)
  const sealed = new Set([...anchored.values(), ...(own?.headers.keys() ?? [])])
  return archives.map((archive) => ({
    ...archive,
    headers: new Map([...archive.headers].filter(([hash]) => sealed.has(hash))),
  }))
}

/** Beside each promise that was given there are the headers that anybody holds. */
function findDoubleSignings({ collector }: Load, archives: readonly Archive[]): readonly string[] {
  for (const { headers } of archives) for (const bytes of headers.values()) collector.addHeader(bytes)
  return collector.faults
}

/** What comes of being dead for too many blocks, as in chaos one may be. */
const TOO_LATE = new Set<Breach>(['never-came', 'stale', 'void'])

function describe(promises: Truth['promises'], number: number): string {
  const link = promises.link(number)
  const { anchor, height, isNull = false, voided } = link ?? {}
  return `link ${number}: ${anchor?.kind} at ${height}${isNull ? ', null' : ''}${voided ? `, void by ${voided.cause}` : ''}`
}

type HeaderOf = (hash: Uint8Array) => Uint8Array | undefined

/** Whether a batch that the promise was to be built on is null because it was anchored too late, and so those behind it are. */
function cameLate(params: Params, promises: Truth['promises'], number: number, headerOf: HeaderOf): boolean {
  const { anchor, isNull = false, height } = promises.link(number - 1) ?? { height: 0 }
  if (anchor?.kind !== 'batch' || !isNull) return false
  const header = decodeHeader(headerOf(anchor.headerHash) ?? new Uint8Array(0))
  const isLate = header !== undefined && height > header.origin.height + params.windows.staleness
  return isLate || cameLate(params, promises, number - 1, headerOf)
}

/** With all that the nodes have. */
function findBrokenPromises(
  params: Params,
  { collector }: Load,
  { promises }: Truth,
  archives: readonly Archive[],
): string[] {
  const bodyOf = bodiesOf(archives)
  const headerOf: HeaderOf = (hash) =>
    archives.find(({ headers }) => headers.has(toHex(hash)))?.headers.get(toHex(hash))
  const logs = new Map<string, MerkleLog>()
  const logOf = (hash: Uint8Array | undefined): MerkleLog | undefined => {
    const operations = hash && bodyOf(toHex(hash))?.operations
    if (hash === undefined || operations === undefined) return undefined
    const log = logs.get(toHex(hash)) ?? treeOver(operations)
    logs.set(toHex(hash), log)
    return log
  }
  return collector.promises.flatMap(({ number, operation, receipt }) => {
    const anchor = promises.link(number)?.anchor
    const header = anchor?.kind === 'batch' ? headerOf(anchor.headerHash) : undefined
    const parent = header && headerOf(decodeHeader(header)?.parent ?? header)
    const operations = anchor && bodyOf(toHex(anchor.headerHash))?.operations
    const known = header && { header, ids: (operations ?? []).map(operationId), parent: parent ?? new Uint8Array(0) }
    const byPlace = judgePromise(params, promises, showPromise(operation, receipt, known))
    // As challengers judge it, who know no operation.
    const tick = decodeReceipt(receipt)
    const shown = tick && showTick(tick, known && { ...known, log: logOf(anchor?.headerHash) })
    const verdict = byPlace.ok || shown === undefined ? byPlace : judgePromise(params, promises, shown)
    if (!verdict.ok) return []
    const isLate =
      (TOO_LATE.has(verdict.breach) && promises.link(number)?.voided?.cause !== 'evidence') ||
      (verdict.breach === 'no-batch' && cameLate(params, promises, number, headerOf))
    const told = [number - 1, number].map((each) => describe(promises, each)).join(', ')
    return isLate ? [] : [`a promise in batch ${number} is broken: ${verdict.breach}; ${told}`]
  })
}

function treeOver(operations: readonly Uint8Array[]): MerkleLog {
  const log = new MerkleLog()
  for (const bytes of operations) log.append(operationId(bytes))
  return log
}

/** Anchored headers that nobody holds, or that are others than those held. */
function findStrangers(archives: readonly Archive[], { anchored }: Truth): string[] {
  return [...anchored]
    .filter(([, hash]) => !archives.some(({ headers }) => headers.has(hash)))
    .map(([number]) => `nobody holds the header of batch ${number}`)
}

function openIds(archives: readonly Archive[], network: Uint8Array): ReadonlySet<string> {
  const ids = archives
    .flatMap(({ open }) => open)
    .flatMap((bytes) => {
      const operation = decodeOperation(bytes)
      return operation?.kind === 'transfer' ? [toHex(transferMessage(network, operation))] : []
    })
  return new Set(ids)
}

function findLost(load: Load, { payments }: Truth, open: ReadonlySet<string>): string[] {
  const faults: string[] = []
  for (const { id, by } of load.acknowledged.values()) {
    const times = (payments.get(id)?.length ?? 0) + (open.has(id) ? 1 : 0)
    if (times === 0) faults.push(`payment ${id}, acknowledged by ${by}, is lost`)
  }
  for (const [id, numbers] of payments)
    if (numbers.length > 1) faults.push(`payment ${id} is in batches ${numbers.join(' and ')}`)
  return faults
}

/** What each node derived from Bitcoin is the same to the byte, and its ledger stands where the chain's head is. */
function findDisagreements(archives: readonly Archive[], { chain, ledger }: Truth): string[] {
  const [first] = archives
  if (first === undefined) return ['there is no node']
  const head = headOf(chain)
  const faults: string[] = []
  for (const { name, derived, head: own } of archives) {
    const at = derived.findIndex((line, index) => line !== first.derived[index])
    if (at >= 0 || derived.length !== first.derived.length)
      faults.push(`${name} derived otherwise than ${first.name}:\n${derived[at]}\n${first.derived[at]}`)
    if (own.number !== head.number || own.hash !== toHex(head.headerHash))
      faults.push(`the ledger of ${name} stands at batch ${own.number}, not at ${head.number}`)
    else if (own.root !== toHex(ledger.root)) faults.push(`the ledger of ${name} has another state root`)
  }
  return faults
}

function findMissingMoney(truth: Truth): string[] {
  const { totals } = truth.ledger
  const sum = [...balancesOf(truth).values()].reduce((total, balance) => total + balance, 0n)
  const faults: string[] = []
  if (sum + totals.fees + totals.owed !== totals.supply)
    faults.push(`balances and fees are ${sum + totals.fees}, the supply is ${totals.supply}`)
  if (totals.supply !== truth.credited)
    faults.push(`the supply is ${totals.supply}, the credited deposits are ${truth.credited}`)
  return faults
}

const SHOWN = 10

function shorten(faults: readonly string[]): string[] {
  const rest = faults.length - SHOWN
  return rest <= 0 ? [...faults] : [...faults.slice(0, SHOWN), `and ${rest} more`]
}
