import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type BondTerms,
  type CosignerMessage,
  decodeFraudAnswer,
  decodeRecord,
  encodeFraudRequest,
  type LeaderMessage,
  newRecord,
  openSession,
  readCosignerMessage,
  signLeaderMessage,
  type XOnlyKey,
  xOnlyKey,
} from '@kedge/bond'
import { BondWatcher, findBatchInnocence } from '@kedge/challenger'
import {
  type Bond,
  type Chain,
  encodeReceipt,
  encodeTransfer,
  genesisChain,
  isSlashSigned,
  networkId,
  type Origin,
  operationId,
  type Params,
  regtestBond,
  sha256,
  showPromise,
  stakeOf,
  taprootScript,
  transferMessage,
} from '@kedge/core'
import { BondRefusedError, type CosignParts, cosignBond } from '@kedge/sequencer'
import { bonds, type LinkRecord, Store } from '@kedge/storage'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SlotSigner } from '../src/slot-signer.ts'
import { PARAMS, WATCHERS } from './ground.ts'

/** The operator and the watchers, each on a disk of its own, and what lies between them in the test's hands. */

const of = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
const SHARE = xOnlyKey(of(4))
const params: Params = {
  ...PARAMS,
  bond: { ...regtestBond, sequencer: SHARE.publicKey, return: publicKeyOf(of(5)) },
}
const NETWORK = networkId(params)
const HOME = taprootScript(publicKeyOf(of(6)))

function termsOf(txid = of(0x40), value = 1_000_000n): BondTerms {
  const funded = (vout: number, sats: bigint) => ({ outpoint: { txid, vout }, value: sats })
  const stake = stakeOf(params, { bond: funded(0, value), detectors: [funded(1, 1_000n)] })
  return { ...stake, network: NETWORK, returned: { script: HOME, value: value - 2_000n } }
}

let drawn = 0
const random = () => sha256(Uint8Array.of(drawn++ & 0xff, drawn >> 8))

let folder: string
let opened: Store[] = []
let chain: Chain
let links: LinkRecord[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-cosign-'))
  chain = { ...genesisChain(params, of(0xb1)), height: 130 }
  links = []
})
afterEach(async () => {
  for (const store of opened) await store.close()
  opened = []
  await rm(folder, { recursive: true })
})

async function open(name: string): Promise<Store> {
  const store = await Store.open(join(folder, name), NETWORK)
  opened.push(store)
  return store
}

const watch = (store: Store, secret: Uint8Array) => {
  const link = (number: number) => links[number - 1]
  const node = { store, chain: () => chain, link, blockHash: of, hasLeft: () => false, random }
  return BondWatcher.load(params, node, secret)
}

interface World {
  readonly stores: readonly Store[]
  readonly watchers: BondWatcher[]
  readonly leader: CosignParts
}

async function newWorld(): Promise<World> {
  const stores = await Promise.all(WATCHERS.map((_, at) => open(`watcher-${at}`)))
  const watchers = await Promise.all(stores.map((store, at) => watch(store, WATCHERS[at] as Uint8Array)))
  const ask = async (message: Uint8Array) => {
    const answers = await Promise.all(watchers.map((watcher) => watcher.answer(message)))
    return answers.filter((answer) => answer !== undefined)
  }
  const leader = { store: await open('operator'), params, key: SHARE, ask, random, note: () => undefined }
  return { stores, watchers, leader }
}

const setupOf = (terms = termsOf()) => ({ record: newRecord(terms), funding: of(1) })
const soon = () => AbortSignal.timeout(20_000)

/** What one watcher says to a message of the leader's, or of somebody else's. */
async function tell(
  watcher: BondWatcher | undefined,
  message: LeaderMessage,
  key: XOnlyKey = SHARE,
  network = NETWORK,
) {
  const answer = await watcher?.answer(signLeaderMessage(key, network, message))
  return answer && readCosignerMessage(params.keys.watchers, NETWORK, answer)?.message
}

const opening = (terms: BondTerms, session = random().slice(0, 16)): Extract<LeaderMessage, { kind: 'open' }> => {
  return { kind: 'open', session, stage: 'slash', terms, slashes: [] }
}

async function recordsOf(store: Store) {
  const records: unknown[] = []
  for await (const [, { record }] of store.range(bonds)) records.push(decodeRecord(record))
  return records
}

describe('signing a bond', () => {
  test('ends with every signature on every disk', async () => {
    const { leader, stores } = await newWorld()
    const { record } = await cosignBond(leader, setupOf(), soon())
    expect(isSlashSigned(record.terms, 0, record.slashes[0] ?? of(0))).toBe(true)
    for (const store of [leader.store, ...stores]) expect(await recordsOf(store)).toEqual([record])
    // Once more changes nothing.
    expect((await cosignBond(leader, { record, funding: of(1) }, soon())).record).toEqual(record)
  })

  test('goes on when a watcher starts anew in the middle, and when answers are lost', async () => {
    const { leader, stores, watchers } = await newWorld()
    let asked = 0
    const ask: CosignParts['ask'] = async (message, signal) => {
      asked += 1
      const at = asked % 3
      // Its nonces were in memory only; its word is on disk.
      if (asked <= 5) watchers[at] = await watch(stores[at] as Store, WATCHERS[at] as Uint8Array)
      const answers = await leader.ask(message, signal)
      return asked === 2 ? answers.slice(1) : answers
    }
    const { record } = await cosignBond({ ...leader, ask }, setupOf(), soon())
    for (const store of stores) expect(await recordsOf(store)).toEqual([record])
  })

  test('the leader starts anew in the middle, from its disk', async () => {
    const { leader } = await newWorld()
    const cut = new AbortController()
    let asked = 0
    const ask: CosignParts['ask'] = (message, signal) => {
      asked += 1
      if (asked === 3) cut.abort(new Error('killed'))
      cut.signal.throwIfAborted()
      return leader.ask(message, signal)
    }
    await expect(cosignBond({ ...leader, ask }, setupOf(), cut.signal)).rejects.toThrow('killed')
    const [kept] = (await recordsOf(leader.store)) as [ReturnType<typeof newRecord>]
    expect(kept.slashes.length).toBe(1)
    const { record } = await cosignBond(leader, { record: kept, funding: of(1) }, soon())
    expect(record.slashes).toEqual(kept.slashes)
    expect(record.returned).toBeDefined()
  })
})

describe('a leader that lies', () => {
  const lies: readonly (readonly [string, (terms: BondTerms) => BondTerms])[] = [
    ['another return delay', (terms) => ({ ...terms, returnDelay: 149 })],
    ['the bond is below 1000000 sat', () => termsOf(of(0x40), 999_999n)],
    ['another forfeit', (terms) => ({ ...terms, forfeit: { ...terms.forfeit, value: 1n } })],
    ['the forfeit goes elsewhere', (terms) => ({ ...terms, forfeit: { ...terms.forfeit, script: HOME } })],
    ["the keys are not the network's", (terms) => ({ ...terms, keys: { ...terms.keys, threshold: 3 } })],
    ["the keys are not the network's", (terms) => ({ ...terms, keys: { ...terms.keys, return: publicKeyOf(of(77)) } })],
    ['another network', (terms) => ({ ...terms, network: of(3) })],
    ['the return pays nothing, or no fee', (t) => ({ ...t, returned: { ...t.returned, value: 2_000_000n } })],
  ]
  test.each(lies)('about its terms gets no signature: %s', async (fault, change) => {
    const { leader, stores } = await newWorld()
    const refused = cosignBond(leader, setupOf(change(termsOf())), soon())
    await expect(refused).rejects.toThrow(BondRefusedError)
    await expect(refused).rejects.toThrow(`terms: ${fault}`)
    for (const store of stores) expect(await recordsOf(store)).toEqual([])
  })

  test('gets no second word about the same outputs, after a restart neither', async () => {
    const { watchers, stores } = await newWorld()
    expect(await tell(watchers[0], opening(termsOf()))).toMatchObject({ kind: 'nonces' })
    const other = { ...termsOf(), returned: { script: taprootScript(publicKeyOf(of(8))), value: 900_000n } }
    for (const watcher of [watchers[0], await watch(stores[0] as Store, WATCHERS[0] as Uint8Array)])
      expect(await tell(watcher, opening(other))).toMatchObject({ kind: 'refusal', reason: 'conflict' })
    expect(await tell(watchers[0], opening(termsOf(of(0x42))))).toMatchObject({ kind: 'nonces' })
  })

  test('gets no return before the slash, and no signature by nonces that are not everybody’s', async () => {
    const { watchers } = await newWorld()
    const early = { ...opening(termsOf()), stage: 'return' } as const
    expect(await tell(watchers[0], early)).toMatchObject({ kind: 'refusal', reason: 'slash' })
    const session = random().slice(0, 16)
    const reply = (await tell(watchers[0], opening(termsOf(), session))) as Extract<CosignerMessage, { kind: 'nonces' }>
    const nonces = Array.from({ length: 4 }, () => [new Uint8Array(66).fill(2)])
    expect(await tell(watchers[0], { kind: 'sign', session, nonces })).toMatchObject({ reason: 'nonces' })
    expect(reply.kind).toBe('nonces')
  })

  test('that has not the sequencer’s share, or is of another network, is not heard', async () => {
    const { watchers } = await newWorld()
    const { effects } = openSession(SHARE, { record: newRecord(termsOf()), session: undefined }, random())
    const message = effects.flatMap((effect) => (effect.do === 'send' ? [effect.message] : []))[0] as LeaderMessage
    expect(await tell(watchers[0], message, xOnlyKey(of(99)))).toBeUndefined()
    expect(await tell(watchers[0], message, SHARE, of(3))).toBeUndefined()
    for (const bytes of [new Uint8Array(0), of(1), signLeaderMessage(SHARE, NETWORK, message).slice(0, -1)])
      expect(await watchers[0]?.answer(bytes)).toBeUndefined()
    expect(await tell(watchers[0], message)).toMatchObject({ kind: 'nonces' })
  })

  test('that lost a bond gets no other', async () => {
    const { leader } = await newWorld()
    const end = { outcome: 'slashed', height: 120, txid: of(1) } as const
    chain = { ...chain, bonds: [{ ...standing(), end }] }
    await expect(cosignBond(leader, setupOf(), soon())).rejects.toThrow('its sequencer gets no other')
  })
})

function standing(): Bond {
  const { bond, detectors } = termsOf()
  return { bond, detectors, fundedAt: 110, slash: { signature: new Uint8Array(64), height: 111 } }
}

describe('the word of a watcher', () => {
  const guilty: LinkRecord = {
    ...{ number: 1, outcome: 'batch', height: 115, txid: of(2), headerHash: of(3), post: of(4) },
    voided: { height: 120, cause: 'evidence', fault: 'wrong-root' },
  }
  const request = (txid = of(0x40), number = 1) =>
    encodeFraudRequest({
      bond: { txid, vout: 0 },
      claim: { kind: 'batch', number },
      reward: { script: HOME, feeRate: 2 },
    })

  test('is given where its own state says that a batch is void for a lie, and nowhere else', () => {
    const innocent: readonly (readonly [LinkRecord | undefined, string])[] = [
      [undefined, 'the link is no batch here'],
      [{ ...guilty, outcome: 'resume' }, 'the link is no batch here'],
      [{ ...guilty, voided: { height: 120, cause: 'ancestor' } }, 'the batch is void by no fault of its own'],
      [
        { ...guilty, voided: { height: 120, cause: 'evidence', fault: 'lapsed' } },
        'the batch is void by no fault of its own',
      ],
      [{ ...guilty, voided: { height: 130, cause: 'unanswered' } }, 'what made the batch void is not deep enough'],
      [{ ...guilty, height: 111 }, 'the bond does not cover the batch'],
    ]
    for (const [link, reason] of innocent) expect(findBatchInnocence(params, chain, standing(), link)).toBe(reason)
    const { voided, ...live } = guilty
    expect(findBatchInnocence(params, chain, standing(), live)).toBe('the batch is not void')
    expect(findBatchInnocence(params, chain, standing(), { ...live, ...(voided && { voided }) })).toBeUndefined()
  })

  test('is a signature of the slash, or why there is none', async () => {
    const { watchers } = await newWorld()
    const ask = async (message: Uint8Array) => decodeFraudAnswer((await watchers[0]?.answer(message)) ?? of(0))
    links = [guilty]
    expect(await ask(request())).toMatchObject({ ok: false, reason: 'no bond that counts and has not ended is there' })
    chain = { ...chain, bonds: [standing()] }
    expect(await ask(request())).toMatchObject({ ok: true, watcher: params.keys.watchers[0] })
    expect(await ask(request(of(0x41)))).toMatchObject({ ok: false })
    const claim = { kind: 'batch', number: 1 } as const
    const dear = { bond: { txid: of(0x40), vout: 0 }, claim, reward: { script: HOME, feeRate: 4_000_000 } }
    expect(await ask(encodeFraudRequest(dear))).toMatchObject({ ok: false, reason: 'the fee leaves no reward' })
    expect(await ask(request(of(0x40), 2))).toMatchObject({ ok: false, reason: 'the link is no batch here' })
  })

  test('is given for a promise that was broken, once k blocks show it, and for no other', async () => {
    const { watchers } = await newWorld()
    chain = { ...chain, bonds: [standing()] }
    const shown = showPromise(...promised({ height: 113, hash: of(113) }), undefined)
    const claim = { kind: 'promise', shown } as const
    const ask = async (height: number) => {
      chain = { ...chain, height }
      const bond = { txid: of(0x40), vout: 0 }
      const asked = encodeFraudRequest({ bond, claim, reward: { script: HOME, feeRate: 2 } })
      return decodeFraudAnswer((await watchers[0]?.answer(asked)) ?? of(0))
    }
    const { staleness, originDepth } = params.windows
    const late = 113 + staleness + originDepth
    expect(await ask(late)).toMatchObject({ ok: false, reason: 'its batch may still come' })
    expect(await ask(late + 1)).toMatchObject({ ok: true, watcher: params.keys.watchers[0] })
    // It came in time, and was null for a reason of its own: what it holds is not shown to be anything else.
    const came = { number: 1, outcome: 'batch', height: 116, txid: of(2), headerHash: of(3), post: of(4) } as const
    links = [came]
    expect(await ask(late + 1)).toMatchObject({ ok: false, reason: 'the header is not the one anchored' })
    links = [{ ...came, outcome: 'null', said: { kind: 'resume', headerHash: of(0), word: of(0) } }]
    expect(await ask(late + 1)).toMatchObject({ ok: true })
    links = []
    const gone = { kind: 'promise', shown: showPromise(...promised({ height: 113, hash: of(9) }), undefined) } as const
    const asked = encodeFraudRequest({
      bond: standing().bond.outpoint,
      claim: gone,
      reward: { script: HOME, feeRate: 2 },
    })
    expect(decodeFraudAnswer((await watchers[0]?.answer(asked)) ?? of(0))).toMatchObject({ ok: false })
    // Behind a bond that came later it says nothing about.
    chain = { ...chain, bonds: [{ ...standing(), slash: { signature: new Uint8Array(64), height: 120 } }] }
    expect(await ask(late + 1)).toMatchObject({ ok: false, reason: 'the bond does not cover the batch' })
  })
})

/** A transfer, and the sequencer's promise of the first place in batch 1 for it. */
function promised(origin: Origin): [operation: Uint8Array, receipt: Uint8Array] {
  const plain = { from: 1, nonce: 0n, to: of(1), toCell: 2, mayCreate: false, amount: 5n, fee: 100n, expiry: 500 }
  const unsigned = { kind: 'transfer', ...plain, memo: of(0), signature: new Uint8Array(64) } as const
  const operation = encodeTransfer({ ...unsigned, signature: signHash(transferMessage(NETWORK, unsigned), of(30)) })
  const opsRoot = operationId(operation)
  const signed = new SlotSigner(params, of(2)).sign({ number: 1, index: 0, origin, parent: of(0), count: 1, opsRoot })
  return [operation, encodeReceipt({ ...signed, opIndex: 0, path: [] })]
}
