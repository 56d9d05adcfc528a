import {
  type Answer,
  answer,
  createClient,
  errorBodyOf,
  isBinary,
  type Payment,
  type PaymentProof,
  type RefusalCode,
  type Route,
  type RouteName,
  type RouteRequest,
  type RouteResponse,
  refuse,
  routes,
  statusOf,
} from '@kedge/api'
import {
  anchorScript,
  BatchExecution,
  type BuiltHeader,
  batchAnchor,
  buildHeader,
  dataCarrierScript,
  decodeSigned,
  decodeTransfer,
  encodeMessage,
  encodePaymentProof,
  encodeReceipt,
  encodeTransfer,
  equalBytes,
  fromHex,
  hashTwice,
  L1Facts,
  Ledger,
  networkId,
  type Origin,
  type Params,
  regtestRules,
  reverseBytes,
  type SignedOperation,
  signedMessage,
  type Tick,
  toHex,
  ZERO_HASH,
} from '@kedge/core'
import { SlotSigner } from '@kedge/regtest'
import { schnorr } from '@noble/curves/secp256k1.js'
import { coinbase, type MinedBlock, mineBlock, provenIn, rawTransaction } from './chain.ts'

const secretOf = (seed: number) => new Uint8Array(32).fill(seed)
const keyOf = (seed: number) => schnorr.getPublicKey(secretOf(seed))
const SLOT_SECRET = secretOf(2)

interface Sealed extends BuiltHeader {
  readonly paths: readonly (readonly Uint8Array[])[]
  readonly operations: readonly Uint8Array[]
  readonly height: number
  readonly block: MinedBlock
  readonly anchor: Uint8Array
  readonly previous: Uint8Array
}

interface Taken {
  readonly batch: number
  readonly index: number
  readonly operation: Uint8Array
  readonly receipt: Uint8Array
}

/** The first link's output: paid to the anchor script by nobody in particular. */
function genesisTransaction(params: Params): Uint8Array {
  return rawTransaction(
    [{ txid: secretOf(9), vout: 0 }],
    [
      { value: 0n, script: Uint8Array.of(0x6a) },
      { value: 10_000n, script: anchorScript(params) },
    ],
  )
}

function makeParams(): Params {
  const keys = { anchor: keyOf(1), slot: keyOf(2), fees: keyOf(3), watchers: [keyOf(4)], threshold: 1 }
  const draft = {
    ...regtestRules,
    caps: { ...regtestRules.caps, ticks: 16 },
    keys,
    scanHeight: 101,
    genesis: { txid: ZERO_HASH, vout: 1 },
    vault: { txid: ZERO_HASH, vout: 2, value: 10_000n },
  }
  // The anchor script follows from the keys alone, so the genesis transaction can name them before it has a txid.
  return { ...draft, genesis: { txid: hashTwice(genesisTransaction(draft)), vout: 1 } }
}

/** A sequencer's ledger and Bitcoin's chain in one process, answering the API: real transition, trees and signatures. */
export class LedgerNode {
  readonly params = makeParams()
  readonly network = networkId(this.params)
  private readonly ledger = new Ledger()
  private readonly slots = new SlotSigner(this.params, SLOT_SECRET)
  private readonly facts = new L1Facts(this.params.scanHeight)
  private readonly taken = new Map<string, Taken>()
  private readonly sealed: Sealed[] = []
  private tip: MinedBlock = mineBlock(secretOf(8), [coinbase(100)])
  private height = 100
  /** From block 101 on. */
  private readonly headers: Uint8Array[] = []
  private link = genesisTransaction(this.params)
  private deposits: { key: Uint8Array; value: bigint }[] = []
  private open: BatchExecution | undefined
  private ticks = 0
  /** The first block of the exit. */
  private endedAt: number | undefined

  /** A client that asks this node, with `between` to change or lose what passes. */
  client(between: (ask: () => Promise<Response>, url: string) => Promise<Response> = (ask) => ask()) {
    const serve = (input: unknown, init?: RequestInit) => this.serve(String(input), init ?? {})
    return createClient('http://node', { fetch: (input, init) => between(() => serve(input, init), String(input)) })
  }

  /** Deposits that the next block holds. */
  deposit(key: string, sats: bigint): void {
    this.deposits.push({ key: fromHex(key), value: sats })
  }

  /** Mines a block with the open batch's anchor, if there is one, and opens the next batch. */
  mine(): void {
    const sealing = this.open === undefined ? undefined : this.seal(this.open)
    const transactions = [
      coinbase(this.height + 1),
      rawTransaction([{ txid: secretOf(6), vout: this.height }], [{ value: 1n, script: Uint8Array.of(0x51) }]),
    ]
    this.tip = mineBlock(this.tip.hash, sealing === undefined ? transactions : [...transactions, sealing.anchor])
    this.height += 1
    this.headers.push(this.tip.header)
    const swept = this.deposits.splice(0).map(({ key, value }, index) => {
      const position = { height: this.height, tx: 1, index }
      return { position, deposit: { position, txid: secretOf(7), key, refundKey: key, value } }
    })
    this.facts.append(this.height, this.tip.hash, { deposits: [], swept, refunded: [], forced: [], final: [] })
    if (sealing !== undefined) {
      this.sealed.push({ ...sealing, height: this.height, block: this.tip })
      this.link = sealing.anchor
    }
    this.open = this.begin()
    this.open.addDue((key) => this.cellsOf(key)[0])
  }

  /** The chain of batches ends, and the open batch is in none of its blocks. */
  end(): void {
    if (this.open !== undefined) this.ledger.undo(this.open.seal().delta)
    this.open = undefined
    for (const [id, { batch }] of this.taken) if (batch === this.number) this.taken.delete(id)
    this.height += 1
    this.endedAt = this.height
  }

  private get number(): number {
    return this.sealed.length + 1
  }

  private get place() {
    const parent = this.sealed.at(-1)?.hash ?? ZERO_HASH
    return {
      network: this.network,
      number: this.number,
      parent,
      origin: { height: this.origin.height, hash: this.origin.hash },
    }
  }

  private origin: Origin = { height: 101, hash: ZERO_HASH }

  private begin(): BatchExecution {
    this.origin = { height: this.height, hash: this.tip.hash }
    this.ticks = 0
    const { params, network, facts, origin } = this
    const isSigned = (owner: Uint8Array, operation: SignedOperation) =>
      schnorr.verify(operation.signature, signedMessage(network, operation), owner)
    return new BatchExecution({ params, network, facts, origin, originHeight: origin.height, isSigned }, this.ledger)
  }

  private seal(open: BatchExecution): Omit<Sealed, 'height' | 'block'> {
    const paths = open.operations.map((_, index) => open.provePath(index))
    const header = buildHeader(this.place, open.seal(), this.slots.fieldsOf(this.number))
    const tag = encodeMessage(batchAnchor(header.header, header.hash))
    const outputs = [
      { value: 0n, script: dataCarrierScript(tag) },
      { value: 10_000n, script: anchorScript(this.params) },
    ]
    const anchor = rawTransaction([{ txid: hashTwice(this.link), vout: 1 }], outputs)
    return { ...header, paths, operations: open.operations, anchor, previous: this.link }
  }

  private cellsOf(key: Uint8Array): number[] {
    const { tree } = this.ledger
    return Array.from({ length: tree.count }, (_, cell) => cell).filter((cell) =>
      equalBytes(tree.account(cell).owner, key),
    )
  }

  private submit(bytes: Uint8Array): Answer<RouteResponse<'submitTransfer'>> {
    const signed = decodeSigned(bytes)
    if (signed === undefined || this.open === undefined) return refuse('undecodable')
    const id = toHex(signedMessage(this.network, signed))
    const before = this.taken.get(id)
    if (before !== undefined) return answer({ id, rung: 'sequenced', acknowledgement: acknowledge(before) })
    const operation =
      signed.kind === 'withdrawal'
        ? bytes
        : encodeTransfer({ ...signed, toCell: this.cellsOf(signed.to)[0] ?? this.ledger.totals.count })
    const refusal = this.open.addBytes(operation)
    if (refusal !== undefined) return refuse(refusal as RefusalCode)
    const index = this.open.count - 1
    const tick: Tick = { ...this.place, index: this.ticks++, count: index + 1, opsRoot: this.open.opsRoot() }
    const receipt = encodeReceipt({ ...this.slots.sign(tick), opIndex: index, path: this.open.provePath(index) })
    const taken = { batch: this.number, index, operation, receipt }
    this.taken.set(id, taken)
    return answer({ id, rung: 'sequenced', acknowledgement: acknowledge(taken) })
  }

  private payment(id: string): Answer<Payment> {
    const taken = this.taken.get(id)
    if (taken === undefined) return refuse('not-found')
    const { batch, index } = taken
    const acknowledgement = acknowledge(taken)
    const sealed = this.sealed[batch - 1]
    if (sealed === undefined) return answer({ rung: 'sequenced', id, batch, index, acknowledgement })
    const depth = this.height - sealed.height + 1
    const rung = depth > this.params.windows.dispute ? 'final' : 'anchored'
    return answer({ rung, id, batch, index, depth, acknowledgement, proof: proofOf(sealed, index) })
  }

  private withdrawal(id: string): Answer<RouteResponse<'withdrawal'>> {
    const taken = this.taken.get(id)
    const signed = taken && decodeSigned(taken.operation)
    if (taken === undefined || signed?.kind !== 'withdrawal') return refuse('not-found')
    const { batch, index } = taken
    const { amount, payoutFee, script } = signed
    const view = { id, batch, index, amount, payoutFee, script: toHex(script), acknowledgement: acknowledge(taken) }
    return answer({ rung: this.sealed[batch - 1] === undefined ? 'sequenced' : 'anchored', ...view })
  }

  private account(key: string): Answer<RouteResponse<'account'>> {
    const owner = fromHex(key)
    const cells = this.cellsOf(owner).map((cell) => {
      const { nonce, balance } = this.ledger.tree.account(cell)
      return { cell, nonce, balance }
    })
    const balance = cells.reduce((sum, cell) => sum + cell.balance, 0n)
    const waiting = this.deposits
      .filter((deposit) => equalBytes(deposit.key, owner))
      .map(({ value }, vout) => {
        const height = this.height + 1
        const position = { height, tx: 1, index: vout }
        return { position, txid: key, vout, key, sats: value, dueAt: height + 1, refundableAt: height + 80 }
      })
    return answer({ key, balance, cells, rung: this.endedAt === undefined ? 'sequenced' : 'anchored', waiting })
  }

  private history(key: string): Answer<RouteResponse<'accountHistory'>> {
    const own = this.cellsOf(fromHex(key))
    const entries = [...this.taken].flatMap(([id, { batch, index, operation }]) => {
      const transfer = decodeTransfer(operation)
      if (transfer === undefined) return []
      const { amount, fee, from, memo, to, toCell } = transfer
      if (!own.includes(from) && !own.includes(toCell)) return []
      const direction = own.includes(from) ? ('out' as const) : ('in' as const)
      const sides = { kind: 'transfer' as const, direction, counterparty: toHex(to), memo: toHex(memo) }
      return [{ id, ...sides, amount, fee, batch, index, rung: 'sequenced' as const }]
    })
    return answer({ entries: entries.reverse() })
  }

  private health(): Answer<RouteResponse<'health'>> {
    return answer({
      network: toHex(this.network),
      chain: 'regtest',
      role: 'sequencer',
      version: 'test',
      tip: { height: this.height, blockHash: toHex(reverseBytes(this.tip.hash)) },
      bitcoin: { height: this.height },
      synced: true,
      mode: this.endedAt === undefined ? 'active' : 'closed',
      ...(this.endedAt !== undefined && { exit: { from: this.endedAt, root: toHex(this.ledger.root) } }),
      head: { number: this.sealed.length, hash: toHex(ZERO_HASH), post: toHex(this.ledger.root) },
      final: { number: 0 },
      peers: 0,
      engine: 'test',
    })
  }

  private blockHeaders(height: number): Answer<RouteResponse<'blockHeaders'>> {
    return answer({
      headers: this.headers
        .slice(height - 101)
        .map(toHex)
        .join(''),
    })
  }

  private respond(name: RouteName, request: Record<string, unknown>): Answer<unknown> {
    switch (name) {
      case 'params':
        return answer({ network: toHex(this.network), params: this.params })
      case 'health':
        return this.health()
      case 'account':
        return this.account((request as RouteRequest<'account'>).key)
      case 'accountHistory':
        return this.history((request as RouteRequest<'accountHistory'>).key)
      case 'deposits':
        // None that a bitcoind would know of.
        return answer({ deposits: [] })
      case 'payment':
        return this.payment((request as RouteRequest<'payment'>).id)
      case 'blockHeaders':
        return this.blockHeaders((request as RouteRequest<'blockHeaders'>).height)
      case 'submitTransfer':
        return this.submit(fromHex((request as RouteRequest<'submitTransfer'>).transfer))
      case 'submitWithdrawal':
        return this.submit(fromHex((request as RouteRequest<'submitWithdrawal'>).withdrawal))
      case 'withdrawal':
        return this.withdrawal((request as RouteRequest<'withdrawal'>).id)
      case 'forced':
        return answer({ forced: [] })
      default:
        return refuse('not-found')
    }
  }

  private async serve(url: string, init: RequestInit): Promise<Response> {
    await new Promise((resolve) => setImmediate(resolve))
    const { pathname } = new URL(url)
    for (const [name, route] of Object.entries<Route>(routes)) {
      const pattern = new RegExp(`^${route.path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
      const match = pattern.exec(pathname)
      if (match === null || route.method !== (init.method ?? 'GET')) continue
      const body = route.body === undefined || isBinary(route.body) ? {} : JSON.parse(String(init.body))
      const place = route.params?.decode((match.groups ?? {}) as never)
      const answered = this.respond(name as RouteName, { ...place, ...body })
      if (answered.ok) return Response.json(route.response.encode(answered.value))
      return Response.json(errorBodyOf(answered.fault), { status: statusOf(answered.fault.code) })
    }
    return Response.json(errorBodyOf({ code: 'not-found' }), { status: 404 })
  }
}

function acknowledge({ operation, receipt }: Taken) {
  return { operation: toHex(operation), receipt: toHex(receipt) }
}

function proofOf(sealed: Sealed, index: number): PaymentProof {
  const proof = {
    operation: sealed.operations[index] as Uint8Array,
    index,
    path: sealed.paths[index] ?? [],
    header: sealed.bytes,
    previous: sealed.previous,
    anchor: provenIn(sealed.block, sealed.anchor),
  }
  const { block, height } = sealed
  return { bytes: toHex(encodePaymentProof(proof)), blockHeader: toHex(block.header), height }
}
