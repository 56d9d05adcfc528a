import {
  applyUnconfirmed,
  type Built,
  build,
  buildAnchor,
  buildChallenge,
  buildCommit,
  buildDeposit,
  buildPayment,
  buildReveal,
  buildTakeover,
  type BuiltLink,
  type Coins,
  type Funding,
  type LinkPlan,
  MAX_PUBLICATION,
  NO_COINS,
  printOutpoint,
  readMempoolEntry,
  readTransaction,
  type Spend,
  sendTransaction,
  spendableCoins,
  testAccept,
} from '@kedge/bitcoin'
import { anchorScript, dataCarrier, encodeMessage, equalBytes, type L1Output, readPieces, signalScript, vaultScript } from '@kedge/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Bitcoind } from '../src/bitcoind.ts'
import { ANCHOR_SECRET, describeOnBitcoind, expectRelayed, freshKey, fundedKey, fundedLink, mineAndRead, PARAMS, startBitcoind, WATCHERS } from './ground.ts'

const HASH = new Uint8Array(32).fill(0xab)
const NOTHING = new Uint8Array(0)
const batchPayload = (number: number): Uint8Array => encodeMessage({ kind: 'batch', number, headerHash: HASH, word: HASH })
const BUDGET = { floor: 1_000n, refill: 30_000n }

/** Bytes that don't compress or repeat, always the same. */
function noise(size: number): Uint8Array {
  let state = size
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

/** What the key owns once its own transactions are sent: the change of one pays for the next. */
function afterwards({ key, coins, feeRate }: Funding, ...sent: Built[]): Funding {
  const before: Coins = new Map(coins.map((coin) => [printOutpoint(coin.outpoint), coin]))
  const after = sent.reduce((left, { raw }) => applyUnconfirmed(left, readTransaction(raw), key.script), before)
  return { key, coins: spendableCoins(after, 0), feeRate }
}

describeOnBitcoind.each(['default', 'core'] as const)('under the %s policy', (policy) => {
  let bitcoind: Bitcoind
  let discard: () => Promise<void>
  beforeAll(async () => {
    const started = await startBitcoind(policy)
    bitcoind = started.bitcoind
    discard = started.discard
  })
  afterAll(() => discard?.())

  const planOf = (link: LinkPlan['link'], number: number, funding: Funding): LinkPlan => ({
    params: PARAMS,
    link,
    payload: batchPayload(number),
    budget: BUDGET,
    funding,
  })

  test('a payment', async () => {
    const to = freshKey()
    const built = buildPayment([{ script: to.script, value: 5_000n }], await fundedKey(bitcoind, 1, 3_000n, 3_000n))
    await expectRelayed(bitcoind, built)
    const mined = await mineAndRead(bitcoind, built.txid)
    expect(mined).toEqual(readTransaction(built.raw))
    expect(applyUnconfirmed(NO_COINS, mined, to.script).size).toBe(1)
  })

  test('a deposit', async () => {
    const payload = encodeMessage({ kind: 'deposit', key: HASH, refundKey: HASH })
    const built = buildDeposit(PARAMS, payload, 1_000n, await fundedKey(bitcoind, 1, 100_000n))
    await expectRelayed(bitcoind, built)
    const { outputs } = await mineAndRead(bitcoind, built.txid)
    expect(dataCarrier(outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(outputs[1]).toEqual({ script: vaultScript(PARAMS), value: 1_000n })
  })

  test('a challenge, which burns its payment', async () => {
    const payload = encodeMessage({ kind: 'challenge', headerHash: HASH, data: 'steps' })
    const built = buildChallenge(PARAMS, payload, await fundedKey(bitcoind, 1, 100_000n))
    await expect(sendTransaction(bitcoind.rpc, built.raw, 9_999n)).resolves.toMatchObject({ ok: false, reason: 'invalid' })
    await expectRelayed(bitcoind, built, 10_000n)
    const { outputs } = await mineAndRead(bitcoind, built.txid)
    expect(outputs[0]?.value).toBe(10_000n)
    expect(dataCarrier(outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(outputs[1]).toEqual({ script: signalScript(PARAMS), value: 330n })
  })

  test('twenty anchors wait in a row, and the last is replaced', async () => {
    const funding = await fundedKey(bitcoind, 1)
    let link = await fundedLink(bitcoind, 50_000n)
    let tip = link
    const anchors: BuiltLink[] = []
    for (let number = 1; number <= 20; number++) {
      tip = link
      const built = buildAnchor(planOf(link, number, funding), ANCHOR_SECRET)
      await expectRelayed(bitcoind, built)
      anchors.push(built)
      link = built.next
    }
    const last = anchors[19] as BuiltLink
    expect(await readMempoolEntry(bitcoind.rpc, last.txid)).toMatchObject({ ancestors: 20 })
    const replaced = buildAnchor(planOf(tip, 20, { ...funding, feeRate: 5 }), ANCHOR_SECRET)
    await expectRelayed(bitcoind, replaced)
    expect(await readMempoolEntry(bitcoind.rpc, last.txid)).toBeUndefined()
    const mined = await mineAndRead(bitcoind, replaced.txid)
    expect(mined.inputs[0]?.previous).toEqual(anchors[18]?.next.outpoint)
    expect(mined.outputs.map(({ script }) => script)[1]).toEqual(anchorScript(PARAMS))
  })

  test('an anchor whose link is used up is helped by coins, also in a replacement', async () => {
    const funding = await fundedKey(bitcoind, 2, 100_000n)
    const link = await fundedLink(bitcoind, 1_100n)
    const plan = planOf(link, 1, funding)
    await expectRelayed(bitcoind, buildAnchor(plan, ANCHOR_SECRET))
    const replaced = buildAnchor({ ...plan, funding: { ...funding, feeRate: 4 } }, ANCHOR_SECRET)
    await expectRelayed(bitcoind, replaced)
    const mined = await mineAndRead(bitcoind, replaced.txid)
    expect(mined.outputs[1]).toEqual({ script: anchorScript(PARAMS), value: 30_000n })
    expect(mined.inputs.length).toBe(2)
  })

  test('a stranger can\'t spend a link', async () => {
    const link = await fundedLink(bitcoind, 50_000n)
    const built = buildAnchor(planOf(link, 1, await fundedKey(bitcoind, 1)), WATCHERS[0] as Uint8Array)
    expect(await testAccept(bitcoind.rpc, built.raw)).toMatchObject({ ok: false, reason: 'invalid' })
    await expect(bitcoind.mineBlock([built.raw])).rejects.toThrow(/generateblock/)
  })

  test('the watchers take over once X blocks have passed, not one earlier', async () => {
    const link = await fundedLink(bitcoind, 50_000n)
    const plan = { ...planOf(link, 1, await fundedKey(bitcoind, 1)), payload: encodeMessage({ kind: 'resume', number: 1, headerHash: HASH, word: new Uint8Array(32) }) }
    const built = buildTakeover(plan, WATCHERS.slice(1))
    const hasty = buildTakeover({ ...plan, params: { ...PARAMS, windows: { ...PARAMS.windows, takeover: 39 } } }, WATCHERS)
    await bitcoind.mine(PARAMS.windows.takeover - 2)
    expect(await testAccept(bitcoind.rpc, built.raw)).toMatchObject({ ok: false, reason: 'early' })
    await expect(bitcoind.mineBlock([built.raw])).rejects.toThrow(/generateblock/)
    // Another wait means another leaf, and another output than the one that is there.
    expect(await testAccept(bitcoind.rpc, hasty.raw)).toMatchObject({ ok: false, reason: 'invalid' })
    await bitcoind.mine(1)
    await expectRelayed(bitcoind, built)
    const mined = await mineAndRead(bitcoind, built.txid)
    expect(mined.outputs[1]?.script).toEqual(anchorScript(PARAMS))
    // The chain goes on from there, by the anchor key again.
    await expectRelayed(bitcoind, buildAnchor(planOf(built.next, 2, await fundedKey(bitcoind, 1)), ANCHOR_SECRET))
  })

  test.each([1, 3_000, 100_000, MAX_PUBLICATION])('%i published bytes come back as they were', async (size) => {
    const bytes = noise(size)
    const payload = encodeMessage({ kind: 'evidence', headerHash: HASH })
    const publication = { params: PARAMS, payload, bytes }
    const funding = await fundedKey(bitcoind, 1, 2_000_000n)
    const commit = buildCommit(publication, 3, funding)
    await expectRelayed(bitcoind, commit)
    const reveal = buildReveal(publication, commit.raw, afterwards(funding, commit))
    await expectRelayed(bitcoind, reveal)
    // Replaced out of its own change.
    const raised = buildReveal(publication, commit.raw, { ...funding, coins: [], feeRate: 2.5 })
    await expectRelayed(bitcoind, raised)
    const mined = await mineAndRead(bitcoind, raised.txid)
    expect(equalBytes(readPieces(mined), bytes)).toBe(true)
    expect(dataCarrier(mined.outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(mined.outputs[1]).toEqual({ script: signalScript(PARAMS), value: 330n })
  })

  test('nobody else can spend the pieces that a reveal shows', async () => {
    const publication = { params: PARAMS, payload: encodeMessage({ kind: 'evidence', headerHash: HASH }), bytes: noise(2_000) }
    const funding = await fundedKey(bitcoind, 1, 100_000n)
    const commit = buildCommit(publication, 3, funding)
    await expectRelayed(bitcoind, commit)
    const reveal = buildReveal(publication, commit.raw, { ...funding, coins: [] })
    await expectRelayed(bitcoind, reveal)
    for (const sniped of [snipe(commit, reveal, 'copied'), snipe(commit, reveal, 'own')]) {
      expect(await testAccept(bitcoind.rpc, sniped)).toMatchObject({ ok: false, reason: 'invalid' })
      await expect(bitcoind.mineBlock([commit.raw, sniped])).rejects.toThrow(/generateblock/)
    }
    expect(readPieces(await mineAndRead(bitcoind, reveal.txid))).toEqual(publication.bytes)
  })
})

/** The reveal's pieces in a transaction of somebody else's, with the signatures as they were or with his own. */
function snipe(commit: Built, reveal: Built, signature: 'copied' | 'own'): Uint8Array {
  const sniper = freshKey()
  const { outputs } = readTransaction(commit.raw)
  const spends = readTransaction(reveal.raw).inputs.map(({ previous, witness }): Spend => {
    const { value, script } = outputs[previous.vout] as L1Output
    const signed: Spend['witness'] = (sign) => (signature === 'own' ? witness.with(-3, sign(sniper.secret)) : [...witness])
    return { outpoint: previous, value, script, sequence: 0xfffffffd, leaf: witness.at(-2), witness: signed }
  })
  return build(spends, [{ script: sniper.script, value: 500n }]).raw
}
