import type { Client } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { decodeTransfer, encodeTransfer, GENESIS_ROOT, genesisChain, networkId, toHex } from '@kedge/core'
import { groupings, marks } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { droppedMark, type Intake, type Taken } from '../src/intake.ts'
import type { OpenOperations } from '../src/open-lookup.ts'
import { clientOfNode, expectProof, failures } from './client.ts'
import { type Built, keyHex, keyOf, Rollup, secretOf } from './ground.ts'
import type { TestNode } from './test-node.ts'

let rollup: Rollup

beforeAll(async () => {
  rollup = await Rollup.start()
})

afterAll(async () => {
  await rollup.stop()
  expect(failures).toEqual([])
})

const ALICE = 20
const BOB = 21

describe('a node that follows', () => {
  let node: TestNode
  let client: Client
  let first: Built
  let paid: string

  beforeAll(async () => {
    node = await rollup.openNode('follower')
    client = clientOfNode(node)
  })

  it('answers every route over an empty chain', async () => {
    const { params, network } = rollup
    expect(await client.health()).toMatchObject({
      network: toHex(network),
      chain: 'regtest',
      role: 'challenger',
      version: '0.1.0',
      tip: { height: 112 },
      bitcoin: { height: 112 },
      synced: true,
      mode: 'broken',
      head: { number: 0, hash: '00'.repeat(32), post: toHex(GENESIS_ROOT) },
      final: { number: 0 },
      peers: 0,
    })
    const told = await client.params()
    expect(toHex(networkId(told.params))).toBe(toHex(network))
    expect(told.params).toEqual(params)
    const key = keyHex(ALICE)
    expect(await client.account({ key })).toEqual({ key, balance: 0n, cells: [], rung: 'anchored', waiting: [] })
    expect(await client.accountHistory({ key })).toEqual({ entries: [] })
    expect(await client.deposits({ key })).toEqual({ deposits: [] })
    expect(await client.batches({})).toEqual({ batches: [] })
    expect(await client.batches({ before: 0 })).toEqual({ batches: [] })
    expect(await client.evidence({})).toEqual({ evidence: [] })
    for (const number of [0, 1, 4_294_967_295]) {
      await expect(client.batch({ number })).rejects.toMatchObject({ code: 'not-found' })
    }
    await expect(client.header({ hash: key })).rejects.toMatchObject({ code: 'not-found' })
    await expect(client.payment({ id: key })).rejects.toMatchObject({ code: 'not-found' })
  })

  it('shows deposits from their block on, due and credited', async () => {
    await rollup.resume(new Uint8Array(32))
    for (const [seed, sats] of [
      [ALICE, 5_000n],
      [BOB, 2_000n],
      [ALICE, 1_500n],
    ] as const) {
      await rollup.deposit(keyOf(seed), sats)
      await rollup.mine()
    }
    await node.advance()
    const key = keyHex(ALICE)
    const { waiting, balance } = await client.account({ key })
    expect(balance).toBe(0n)
    expect(
      waiting.map(({ sats, dueAt, position }) => [sats, dueAt === undefined ? undefined : dueAt - position.height]),
    ).toEqual([
      [5_000n, 1],
      [1_500n, 1],
    ])
    first = rollup.build(node, [])
    await rollup.mineBatch(node, first)
    const fee = rollup.params.fees.cell
    expect(await client.account({ key })).toMatchObject({
      balance: 5_500_000n - fee,
      cells: [{ cell: 0, nonce: 0n, balance: 5_500_000n - fee }],
      waiting: [],
    })
    const page = await client.deposits({ key, limit: 1 })
    expect(page.deposits).toMatchObject([{ sats: 1_500n, key, creditedIn: { batch: 2, index: 2 } }])
    expect(page.next).toEqual(page.deposits[0]?.position)
    const rest = await client.deposits({ key, ...(page.next && { before: page.next }) })
    expect(rest).toMatchObject({ deposits: [{ sats: 5_000n, creditedIn: { batch: 2, index: 0 } }] })
    expect(rest.next).toBeUndefined()
  })

  it('shows payments on both sides, newest first, page by page', async () => {
    const memo = secretOf(77)
    const transfers = [
      rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 1_000n, memo }),
      rollup.signed(BOB, keyOf(ALICE), { from: 1, toCell: 0, amount: 400n }),
      rollup.signed(ALICE, keyOf(22), { from: 0, toCell: 2, amount: 50n, nonce: 1n, mayCreate: true, fee: 20_000n }),
    ]
    const built = rollup.build(node, transfers)
    await rollup.mineBatch(node, built)
    const [outward, inward, creating] = transfers.map((transfer) => rollup.idOf(transfer))
    paid = outward as string
    const key = keyHex(ALICE)
    const whole = await client.accountHistory({ key })
    expect(whole.next).toBeUndefined()
    expect(whole.entries).toMatchObject([
      { id: creating, direction: 'out', amount: 50n, fee: 20_000n, counterparty: keyHex(22), batch: 3, index: 2 },
      { id: inward, direction: 'in', amount: 400n, fee: 100n, counterparty: keyHex(BOB), batch: 3, index: 1 },
      { id: outward, direction: 'out', amount: 1_000n, counterparty: keyHex(BOB), memo: toHex(memo), index: 0 },
      { kind: 'deposit', direction: 'in', amount: 1_000_000n, batch: 2, index: 2, rung: 'anchored' },
      { kind: 'deposit', direction: 'in', amount: 4_500_000n, batch: 2, index: 0 },
    ])
    const paged: unknown[] = []
    for (let before = undefined as { batch: number; index: number } | undefined; ; ) {
      const page = await client.accountHistory({ key, limit: 2, ...(before && { before }) })
      paged.push(...page.entries)
      if (page.next === undefined) break
      before = page.next
    }
    expect(paged).toEqual(whole.entries)
    expect((await client.accountHistory({ key: keyHex(22) })).entries).toMatchObject([
      { id: creating, direction: 'in' },
    ])
  })

  it('proves a payment up to its Bitcoin block', async () => {
    const payment = await client.payment({ id: paid })
    expect(payment).toMatchObject({ rung: 'anchored', id: paid, batch: 3, index: 0, depth: 1 })
    await expectProof(rollup, client, paid, payment)
  })

  it('shows links, headers and finality', async () => {
    await rollup.mine(rollup.params.windows.dispute)
    await node.advance()
    expect(await client.payment({ id: paid })).toMatchObject({ rung: 'final', depth: 7 })
    const { batches, next } = await client.batches({ limit: 2 })
    expect(next).toBe(2)
    expect(batches).toMatchObject([
      { number: 3, outcome: 'batch', status: 'final', data: 'held', verdict: 'checked', challenges: [] },
      { number: 2, outcome: 'batch', status: 'final', headerHash: toHex(first.hash), header: { opCount: 3 } },
    ])
    const [last] = batches
    if (last?.outcome !== 'batch') throw new Error('no batch')
    expect(last.finalHeight).toBe(last.anchor.height + rollup.params.windows.dispute)
    expect(await client.batches({ before: 2 })).toMatchObject({
      batches: [{ outcome: 'resume', parent: '00'.repeat(32) }],
    })
    const header = await client.header({ hash: toHex(first.hash) })
    expect(header).toMatchObject({
      number: 2,
      bytes: toHex(first.bytes),
      origin: { blockHash: printHash(first.header.origin.hash) },
    })
    const health = await client.health()
    expect(health).toMatchObject({ mode: 'active', head: { number: 3 }, final: { number: 3 }, synced: true })
  })
})

/** What the sequencer of the tests below acknowledges. */
interface Acknowledged {
  open?: OpenOperations & { readonly operations: Uint8Array[] }
  readonly taken: Map<string, Taken>
}

describe('a sequencer', () => {
  let node: TestNode
  let client: Client
  const tail: { number: number; headerHash: Uint8Array }[] = []
  const acknowledged: Acknowledged = { taken: new Map() }
  let sealed: Built

  beforeAll(async () => {
    node = await rollup.openNode('sequencer', tail)
    await node.advance()
    const intake: Intake = {
      submit: () => Promise.reject(new Error('nothing is submitted here')),
      find: (id) => Promise.resolve(acknowledged.taken.get(toHex(id))),
    }
    client = clientOfNode(node, { intake, role: 'sequencer', openBatch: () => acknowledged.open })
  })

  it('shows what it sealed before Bitcoin has it', async () => {
    const transfer = rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 7n, nonce: 2n })
    sealed = rollup.build(node, [transfer])
    await node.adopt(sealed)
    tail.push({ number: sealed.number, headerHash: sealed.hash })
    const id = rollup.idOf(transfer)
    expect(await client.payment({ id })).toEqual({
      rung: 'sequenced',
      id,
      batch: 4,
      index: 0,
      operation: toHex(encodeTransfer(transfer)),
    })
    const { entries } = await client.accountHistory({ key: keyHex(BOB), limit: 2 })
    expect(entries).toMatchObject([
      { id, rung: 'sequenced', batch: 4 },
      { rung: 'final', batch: 3 },
    ])
    expect(await client.account({ key: keyHex(BOB) })).toMatchObject({ rung: 'sequenced' })
  })

  it('shows the open batch on top', async () => {
    const transfer = rollup.signed(BOB, keyOf(ALICE), { from: 1, toCell: 0, amount: 3n, nonce: 1n })
    const operation = encodeTransfer(transfer)
    const id = rollup.idOf(transfer)
    acknowledged.open = { place: { number: 5 }, operations: [operation], idle: [], claims: [] }
    acknowledged.taken.set(id, { number: 5, index: 0, operation })
    expect(await client.payment({ id })).toEqual({ rung: 'sequenced', id, batch: 5, index: 0 })
    const key = keyHex(BOB)
    const { entries, next } = await client.accountHistory({ key, limit: 1 })
    expect(entries).toMatchObject([{ id, direction: 'out', rung: 'sequenced', batch: 5, index: 0 }])
    expect(next).toEqual({ batch: 5, index: 0 })
    const older = await client.accountHistory({ key, before: { batch: 5, index: 0 }, limit: 1 })
    expect(older.entries).toMatchObject([{ batch: 4, index: 0 }])
    acknowledged.open.operations.push(encodeTransfer({ ...transfer, nonce: 2n }))
    expect((await client.accountHistory({ key, limit: 1 })).entries).toMatchObject([{ batch: 5, index: 1 }])
    acknowledged.open = { place: { number: 5 }, operations: [], idle: [], claims: [] }
    expect((await client.accountHistory({ key, limit: 1 })).entries).toMatchObject([{ batch: 4, index: 0 }])
    delete acknowledged.open
    acknowledged.taken.clear()
  })

  it('goes on with it as anchored once it is', async () => {
    await rollup.anchor(sealed)
    rollup.share(sealed)
    await rollup.mine()
    tail.length = 0
    await node.advance()
    const transfer = decodeTransfer(sealed.sealed.operations[0] as Uint8Array)
    const id = transfer === undefined ? '' : rollup.idOf(transfer)
    const payment = await client.payment({ id })
    expect(payment).toMatchObject({ rung: 'anchored', batch: 4, index: 0, depth: 1 })
    await expectProof(rollup, client, id, payment)
  })
})

describe('a payment that its sequencer gave up', () => {
  it('is dropped, with the reason', async () => {
    const node = await rollup.openNode('dropping')
    await node.advance()
    const id = secretOf(123)
    await node.queried.store.commit([marks.put(droppedMark(id), new TextEncoder().encode('insufficient-funds'))])
    const client = clientOfNode(node, { role: 'sequencer' })
    expect(await client.payment({ id: toHex(id) })).toEqual({
      rung: 'dropped',
      id: toHex(id),
      reason: 'insufficient-funds',
    })
  })
})

describe('when a batch can not be followed', () => {
  let node: TestNode
  let client: Client
  let hidden: Built
  let id: string

  beforeAll(async () => {
    node = await rollup.openNode('watcher')
    client = clientOfNode(node)
    await node.advance()
  })

  it('says so, and denies no payment meanwhile', async () => {
    const transfer = rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 9n, nonce: 3n })
    id = rollup.idOf(transfer)
    hidden = rollup.build(node, [transfer])
    await rollup.anchor(hidden)
    await rollup.mine()
    await rollup.challenge(hidden.hash, 'data')
    await rollup.mine()
    await node.advance()
    const health = await client.health()
    expect(health).toMatchObject({ synced: false, head: { number: 5 }, pending: { number: 5 } })
    await expect(client.payment({ id })).rejects.toMatchObject({ code: 'syncing' })
    expect(await client.account({ key: keyHex(ALICE) })).toMatchObject({ cells: [{ nonce: 3n }] })
    const batch = await client.batch({ number: 5 })
    expect(batch).toMatchObject({ status: 'anchored', data: 'missing', verdict: 'pending' })
    const { store } = node.queried
    await store.commit([groupings.put(hidden.hash, { from: 1, to: 2 })])
    expect(await client.batch({ number: 5 })).toMatchObject({ data: 'held', verdict: 'pending' })
    await store.commit([groupings.del(hidden.hash)])
    expect(batch).not.toHaveProperty('header')
    expect(batch).not.toHaveProperty('finalHeight')
    const raised = { kind: 'data', height: batch.anchor.height + 1, deadline: expect.any(Number) }
    expect(batch).toMatchObject({ challenges: [raised] })
    const { evidence } = await client.evidence({})
    expect(evidence).toMatchObject([
      { kind: 'challenge', outcome: 'raised', data: 'data', number: 5, headerHash: toHex(hidden.hash) },
    ])
  })

  it('keeps payments of a void batch in doubt, and shows why it is void', async () => {
    rollup.share(hidden)
    await node.advance()
    expect(await client.payment({ id })).toMatchObject({ rung: 'anchored', batch: 5 })
    expect((await client.accountHistory({ key: keyHex(ALICE), limit: 1 })).entries).toMatchObject([{ id }])
    await rollup.challenge(hidden.hash, 'data')
    await rollup.mine(6)
    await node.advance()
    const batch = await client.batch({ number: 5 })
    expect(batch).toMatchObject({ status: 'void', void: { cause: 'unanswered' }, data: 'held', verdict: 'checked' })
    expect(batch).toMatchObject({ challenges: [{ kind: 'data' }] })
    expect(await client.health()).toMatchObject({ mode: 'broken', head: { number: 4 }, synced: true })
    expect(await client.payment({ id })).toEqual({ rung: 'pending', id })
    const { entries } = await client.accountHistory({ key: keyHex(ALICE), limit: 1 })
    expect(entries).toMatchObject([{ batch: 4, index: 0 }])
    const { evidence, next } = await client.evidence({ limit: 1 })
    expect(evidence).toMatchObject([{ kind: 'challenge', outcome: 'ignored', reason: 'it is challenged already' }])
    expect((await client.evidence({ limit: 1, ...(next && { before: next }) })).evidence).toMatchObject([
      { outcome: 'raised' },
    ])
  })

  it('finds them again in a later batch', async () => {
    rollup.ledger.undo(hidden.sealed.delta)
    await rollup.resume(rollup.headHash(node))
    await rollup.mine()
    await node.advance()
    const [operation] = hidden.sealed.operations
    const transfer = operation && decodeTransfer(operation)
    if (transfer === undefined) throw new Error('no transfer')
    const other = rollup.signed(BOB, keyOf(ALICE), { from: 1, toCell: 0, amount: 1n, nonce: 1n })
    const built = rollup.build(node, [other, transfer])
    await rollup.mineBatch(node, built)
    expect(await client.payment({ id })).toMatchObject({ rung: 'anchored', batch: 7, index: 1 })
    const { entries } = await client.accountHistory({ key: keyHex(ALICE), limit: 3 })
    expect(entries).toMatchObject([{ id, batch: 7, index: 1 }, { batch: 7, index: 0 }, { batch: 4 }])
  })

  it('says which batch it found faulty', async () => {
    const transfer = rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 2n, nonce: 4n })
    const lie = rollup.build(node, [transfer], (honest) => ({ ...honest, post: secretOf(99) }))
    await rollup.mineBatch(node, lie)
    expect(await client.health()).toMatchObject({ synced: false, rejected: { number: 8, fault: 'wrong-root' } })
    expect(await client.batch({ number: 8 })).toMatchObject({ verdict: 'rejected', status: 'anchored', data: 'held' })
    const lost = rollup.idOf(transfer)
    expect(await client.payment({ id: lost })).toEqual({ rung: 'pending', id: lost })
    await expect(client.payment({ id: keyHex(ALICE) })).rejects.toMatchObject({ code: 'not-found' })
    rollup.ledger.undo(lie.sealed.delta)
  })

  it('follows a reorganisation that takes batches away', async () => {
    await rollup.bitcoind.reorg(2, [[], [], []])
    await node.advance()
    expect(await client.health()).toMatchObject({ mode: 'active', head: { number: 4 }, synced: true })
    expect((await client.batches({})).batches.map(({ number }) => number)).toEqual([6, 5, 4, 3, 2, 1])
    await expect(client.batch({ number: 7 })).rejects.toMatchObject({ code: 'not-found' })
    expect(await client.payment({ id })).toEqual({ rung: 'pending', id })
    expect((await client.accountHistory({ key: keyHex(ALICE), limit: 1 })).entries).toMatchObject([{ batch: 4 }])
  })
})

describe('when bitcoind does not answer', () => {
  it('says that it is not synced, and goes on with what it has', async () => {
    const node = await rollup.openNode('alone')
    await node.advance()
    const rpc = { ...rollup.bitcoind.rpc, url: 'http://127.0.0.1:1' }
    const queried = { ...node.queried, options: { ...node.queried.options, rpc } }
    const client = clientOfNode({ ...node, queried } as TestNode)
    expect(await client.health()).toMatchObject({ synced: false, head: { number: 4 } })
    const { entries } = await client.accountHistory({ key: keyHex(ALICE), limit: 1 })
    await expect(client.payment({ id: entries[0]?.id ?? '' })).rejects.toMatchObject({ code: 'syncing' })
  })

  it('refuses to tell about accounts while it has not read the chain', async () => {
    const node = await rollup.openNode('new')
    const client = clientOfNode(node)
    expect(node.queried.follower.chain).toEqual(genesisChain(rollup.params, node.queried.follower.chain.hash))
    expect(await client.health()).toMatchObject({ synced: false, mode: 'broken', tip: { height: 112 } })
    const key = keyHex(ALICE)
    await expect(client.account({ key })).rejects.toMatchObject({ code: 'syncing' })
    await expect(client.accountHistory({ key })).rejects.toMatchObject({ code: 'syncing' })
    await expect(client.payment({ id: key })).rejects.toMatchObject({ code: 'syncing' })
    expect(await client.batches({})).toEqual({ batches: [] })
  })
})
