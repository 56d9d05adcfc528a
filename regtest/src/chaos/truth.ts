import { type Rpc, readBlock, readBlockHash, readRawBlock, readTip } from '@kedge/bitcoin'
import {
  type Chain,
  type ChainEvent,
  type Court,
  checkBatch,
  creditedAmount,
  decodeHeader,
  decodeOperation,
  deriveBlock,
  encodeSigned,
  equalBytes,
  genesisChain,
  genesisEnd,
  type Header,
  hasherName,
  installHasher,
  judgeHeader,
  L1Facts,
  Ledger,
  networkId,
  operationId,
  type Params,
  type PromiseFacts,
  parentEndOf,
  type ShownLink,
  toHex,
  transferMessage,
  ZERO_HASH,
} from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { isSigned } from '@kedge/signatures'

/** A live batch: Bitcoin says so. */
export interface LiveBatch {
  readonly number: number
  readonly headerHash: Uint8Array
  readonly post: Uint8Array
  readonly anchorHeight: number
  readonly parent: Uint8Array
  /** Of the resume before it, if the link before is one. */
  readonly nonceRoot?: Uint8Array
}

export interface Body {
  readonly header: Uint8Array
  readonly operations: readonly Uint8Array[]
}

/** What is the case: re-derived from Bitcoin's blocks and batch data alone, by the protocol's functions and no node. */
export interface Truth {
  readonly chain: Chain
  readonly live: readonly LiveBatch[]
  /** Numbers of batches that are void. */
  readonly voids: readonly number[]
  /** Links that a reorganisation left without effect. */
  readonly moved: readonly number[]
  /** Of every header that was ever anchored, by number. */
  readonly anchored: ReadonlyMap<number, string>
  readonly ledger: Ledger
  /** What Bitcoin shows of promises. */
  readonly promises: PromiseFacts
  /** Payment id in hex to the numbers of the live batches that hold it, one entry for each time. */
  readonly payments: ReadonlyMap<string, readonly number[]>
  /** Millisatoshis credited for the deposits swept up to the ledger's cursor, and Bitcoin's height that it stands at. */
  readonly credited: bigint
}

/** @throws Error where a live batch is faulty, or its data are missing */
export async function deriveTruth(
  rpc: Rpc,
  params: Params,
  bodyOf: (headerHash: string) => Body | undefined,
): Promise<Truth> {
  if (hasherName() !== fastestHasher().name) installHasher(fastestHasher())
  const facts = new L1Facts(params.scanHeight)
  const network = networkId(params)
  const signed: Court['isSigned'] = (owner, operation) => isSigned(network, owner, encodeSigned(operation))
  const court: Court = { params, network, facts, isSigned: signed }
  const { chain, live, voids, moved, anchored, links } = await readBitcoin(rpc, court, facts)
  const blockHash = (height: number) => facts.blockHash(height)
  const promises = { height: chain.height, blockHash, link: (number: number) => links.get(number) }
  const ledger = new Ledger()
  const payments = new Map<string, number[]>()
  let before: Executed = { header: undefined, table: undefined }
  for (const batch of live) {
    const body = bodyOf(toHex(batch.headerHash))
    if (body === undefined) throw new Error(`nobody holds the data of batch ${batch.number}`)
    before = execute(court, ledger, batch, before, body)
    for (const bytes of body.operations) notePayment(network, payments, bytes, batch.number)
  }
  return {
    chain,
    live,
    voids,
    moved,
    anchored,
    promises,
    ledger,
    payments,
    credited: creditedBy(params, facts, ledger),
  }
}

async function readBitcoin(rpc: Rpc, court: Court, facts: L1Facts) {
  const { params } = court
  const below = await readBlockHash(rpc, params.scanHeight - 1)
  if (below === undefined) throw new Error('bitcoind ends below the scan height')
  let chain = genesisChain(params, below)
  const batches = new Map<number, LiveBatch>()
  const resumes = new Map<number, Uint8Array>()
  const links = new Map<number, ShownLink>()
  const voids: number[] = []
  const moved: number[] = []
  const anchored = new Map<number, string>()
  const { height: tip } = await readTip(rpc)
  for (let height = params.scanHeight; height <= tip; height++) {
    const hash = await readBlockHash(rpc, height)
    if (hash === undefined) throw new Error('Bitcoin moved while it was read')
    const block = readBlock(await readRawBlock(rpc, hash), height)
    const derived = deriveBlock(court, chain, block)
    for (const event of derived.events) {
      if (event.kind === 'link' && event.outcome === 'resume') resumes.set(event.number, event.word)
      follow(event, derived.chain, batches, voids, anchored)
      noteLink(links, event, height)
      if (event.kind === 'link' && event.outcome === 'null') moved.push(event.number)
    }
    facts.append(height, hash, derived.facts)
    chain = derived.chain
  }
  return { chain, live: withParents([...batches.values()], resumes), voids, moved, anchored, links }
}

function noteLink(links: Map<number, ShownLink>, event: ChainEvent, height: number): void {
  if (event.kind === 'link')
    links.set(event.number, { anchor: anchorOf(event), height, isNull: event.outcome === 'null' })
  const link = event.kind === 'void' ? links.get(event.number) : undefined
  if (event.kind !== 'void' || link === undefined) return
  const { cause, fault } = event
  links.set(event.number, { ...link, voided: { cause, ...(fault && { fault }) } })
}

function anchorOf(event: ChainEvent & { kind: 'link' }): ShownLink['anchor'] {
  if (event.outcome === 'close') return undefined
  return event.outcome === 'null'
    ? event.anchor
    : { kind: event.outcome, headerHash: event.headerHash, word: event.word }
}

function follow(
  event: ChainEvent,
  { height }: Chain,
  batches: Map<number, LiveBatch>,
  voids: number[],
  anchored: Map<number, string>,
): void {
  if (event.kind === 'link' && event.outcome === 'batch') {
    const { number, headerHash, word: post } = event
    anchored.set(number, toHex(headerHash))
    batches.set(number, { number, headerHash, post, anchorHeight: height, parent: ZERO_HASH })
  }
  if (event.kind !== 'void') return
  batches.delete(event.number)
  voids.push(event.number)
}

/** A live batch's parent is the live one before it: the head when its link was read. */
function withParents(batches: readonly LiveBatch[], resumes: ReadonlyMap<number, Uint8Array>): LiveBatch[] {
  return batches.map((batch, at) => {
    const nonceRoot = resumes.get(batch.number - 1)
    return { ...batch, parent: batches[at - 1]?.headerHash ?? ZERO_HASH, ...(nonceRoot && { nonceRoot }) }
  })
}

/** A live batch, and the table in which it is signed. */
interface Executed {
  readonly header: Header | undefined
  readonly table: Uint8Array | undefined
}

function execute(court: Court, ledger: Ledger, batch: LiveBatch, before: Executed, body: Body): Executed {
  const { params, network, facts } = court
  const header = decodeHeader(body.header)
  const signedIn = batch.nonceRoot === undefined ? before.table : undefined
  const parent = before.header === undefined ? genesisEnd(params) : parentEndOf(before.header, signedIn)
  const fault = judgeHeader(params, network, facts, batch, parent, header)
  if (header === undefined || fault !== undefined)
    throw new Error(`live batch ${batch.number} has a faulty header: ${fault}`)
  const context = {
    params,
    network,
    facts,
    isSigned: court.isSigned,
    origin: header.origin,
    originHeight: header.origin.height,
  }
  const checked = checkBatch(context, ledger, header, body.operations, body.operations.map(operationId))
  if (!checked.ok) throw new Error(`live batch ${batch.number} is faulty: ${JSON.stringify(checked.fault)}`)
  if (!equalBytes(ledger.root, batch.post))
    throw new Error(`live batch ${batch.number} has another state root than its anchor`)
  return { header, table: batch.nonceRoot ?? before.header?.nonceRoot }
}

function notePayment(network: Uint8Array, payments: Map<string, number[]>, bytes: Uint8Array, number: number): void {
  const operation = decodeOperation(bytes)
  if (operation?.kind !== 'transfer') return
  const id = toHex(transferMessage(network, operation))
  payments.set(id, [...(payments.get(id) ?? []), number])
}

function creditedBy(params: Params, facts: L1Facts, ledger: Ledger): bigint {
  const all = facts.allSweptAfter({ height: 0, tx: 0, index: 0 })
  const behind = facts.allSweptAfter(ledger.totals.depositCursor)
  const credited = all.slice(0, all.length - behind.length)
  return credited.reduce((sum, { deposit }) => sum + creditedAmount(params, deposit), 0n)
}

/** By owner in hex: a key that owns several cells has what is in all of them. */
export function balancesOf({ ledger }: Truth): Map<string, bigint> {
  const balances = new Map<string, bigint>()
  for (let cell = 0; cell < ledger.tree.count; cell++) {
    const { owner, balance } = ledger.tree.account(cell)
    const name = toHex(owner)
    balances.set(name, (balances.get(name) ?? 0n) + balance)
  }
  return balances
}

/** From archives: whoever holds both the header and the operations. */
export function bodiesOf(
  archives: readonly {
    readonly headers: ReadonlyMap<string, Uint8Array>
    readonly bodies: ReadonlyMap<string, readonly Uint8Array[]>
  }[],
): (headerHash: string) => Body | undefined {
  return (name) => {
    for (const { headers, bodies } of archives) {
      const [header, operations] = [headers.get(name), bodies.get(name)]
      if (header !== undefined && operations !== undefined) return { header, operations }
    }
    return undefined
  }
}
