import {
  applyUnconfirmed,
  type Built,
  build,
  buildChallenge,
  buildCommit,
  buildDeposit,
  buildPayment,
  buildReveal,
  type Coin,
  type Coins,
  type Funding,
  keySpend,
  MAX_PUBLICATION,
  NO_COINS,
  printOutpoint,
  readTransaction,
  type Spend,
  sendTransaction,
  spendableCoins,
  testAccept,
} from '@kedge/bitcoin'
import {
  concatBytes,
  dataCarrier,
  depositOutput,
  encodeMessage,
  equalBytes,
  type L1Output,
  networkId,
  readPieces,
  SIGNAL_VALUE,
  signalScript,
} from '@kedge/core'
import { expect, test } from 'vitest'
import {
  describeOnBitcoind,
  expectRelayed,
  freshKey,
  fundedKey,
  LOCKED,
  mineAndRead,
  PARAMS,
  SCRIPT,
  useBitcoind,
} from './ground.ts'

const HASH = new Uint8Array(32).fill(0xab)
const NOTHING = new Uint8Array(0)

/** Bytes that don't repeat, always the same. */
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
  const bitcoind = useBitcoind(policy)

  test('a payment', async () => {
    const to = freshKey()
    const built = buildPayment([{ script: to.script, value: 5_000n }], await fundedKey(bitcoind(), 1, 3_000n, 3_000n))
    await expectRelayed(bitcoind(), built)
    const mined = await mineAndRead(bitcoind(), built.txid)
    expect(mined).toEqual(readTransaction(built.raw))
    expect(applyUnconfirmed(NO_COINS, mined, to.script).size).toBe(1)
  })

  test('a deposit', async () => {
    const payload = encodeMessage({ kind: 'deposit', key: HASH, refundKey: HASH })
    const built = buildDeposit(PARAMS, { key: HASH, refundKey: HASH }, 1_000n, await fundedKey(bitcoind(), 1, 100_000n))
    await expectRelayed(bitcoind(), built)
    const { outputs } = await mineAndRead(bitcoind(), built.txid)
    expect(dataCarrier(outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(outputs[1]).toEqual({ script: depositOutput(PARAMS, HASH, HASH).script, value: 1_000n })
  })

  test('a challenge, which burns its payment', async () => {
    const payload = encodeMessage({ kind: 'challenge', headerHash: HASH, data: 'steps' })
    const built = buildChallenge(PARAMS, payload, await fundedKey(bitcoind(), 1, 100_000n))
    await expect(sendTransaction(bitcoind().rpc, built.raw, 9_999n)).resolves.toMatchObject({
      ok: false,
      reason: 'invalid',
    })
    await expectRelayed(bitcoind(), built, 10_000n)
    const { outputs } = await mineAndRead(bitcoind(), built.txid)
    expect(outputs[0]?.value).toBe(10_000n)
    expect(dataCarrier(outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(outputs[1]).toEqual({ script: signalScript(PARAMS), value: SIGNAL_VALUE })
  })

  test.each([1, 3_000, 100_000, MAX_PUBLICATION])('%i published bytes come back as they were', async (size) => {
    const bytes = noise(size)
    const payload = encodeMessage({ kind: 'evidence', headerHash: HASH })
    const publication = { params: PARAMS, payload, bytes }
    const funding = await fundedKey(bitcoind(), 1, 2_000_000n)
    const commit = buildCommit(publication, 3, funding)
    await expectRelayed(bitcoind(), commit)
    const reveal = buildReveal(publication, commit.raw, afterwards(funding, commit))
    await expectRelayed(bitcoind(), reveal)
    // Replaced out of its own change.
    const raised = buildReveal(publication, commit.raw, { ...funding, coins: [], feeRate: 2.5 })
    await expectRelayed(bitcoind(), raised)
    const mined = await mineAndRead(bitcoind(), raised.txid)
    expect(equalBytes(readPieces(mined), bytes)).toBe(true)
    expect(dataCarrier(mined.outputs[0]?.script ?? NOTHING)).toEqual(payload)
    expect(mined.outputs[1]).toEqual({ script: signalScript(PARAMS), value: SIGNAL_VALUE })
  })

  test('nobody else can spend the pieces that a reveal shows', async () => {
    const publication = {
      params: PARAMS,
      payload: encodeMessage({ kind: 'evidence', headerHash: HASH }),
      bytes: noise(2_000),
    }
    const funding = await fundedKey(bitcoind(), 1, 100_000n)
    await bitcoind().mine(1)
    const commit = buildCommit(publication, 3, funding)
    await expectRelayed(bitcoind(), commit)
    const reveal = buildReveal(publication, commit.raw, { ...funding, coins: [] })
    await expectRelayed(bitcoind(), reveal)
    for (const sniped of [snipe(commit, reveal, 'copied'), snipe(commit, reveal, 'own')]) {
      expect(await testAccept(bitcoind().rpc, sniped)).toMatchObject({
        detail: expect.stringContaining('Schnorr signature'),
      })
      await expect(bitcoind().mineBlock([commit.raw, sniped])).rejects.toThrow(SCRIPT)
    }
    expect(readPieces(await mineAndRead(bitcoind(), reveal.txid))).toEqual(publication.bytes)
  })

  test('nobody hangs a child on a message that waits; a block later anybody cleans its signal output up', async () => {
    const payload = encodeMessage({ kind: 'challenge', headerHash: HASH, data: 'data' })
    const funding = await fundedKey(bitcoind(), 1, 100_000n)
    const { key, coins } = await fundedKey(bitcoind(), 1, 10_000n)
    await bitcoind().mine(1)
    const message = buildChallenge(PARAMS, payload, funding)
    await expectRelayed(bitcoind(), message, PARAMS.fees.challenge)
    const cleanUp = (sequence: number) =>
      build(
        [signalSpend(message, sequence), keySpend(coins[0] as Coin, key.script, key.spendingSecret)],
        [{ script: key.script, value: 9_000n }],
      )
    const child = cleanUp(1)
    expect(await testAccept(bitcoind().rpc, child.raw)).toMatchObject({ ok: false, reason: 'early' })
    // Without the wait the script is not met.
    const hasty = cleanUp(0xfffffffd).raw
    expect(await testAccept(bitcoind().rpc, hasty)).toMatchObject({ reason: 'invalid' })
    await expect(bitcoind().mineBlock([message.raw, hasty])).rejects.toThrow(SCRIPT)
    await expect(bitcoind().mineBlock([message.raw, child.raw])).rejects.toThrow(LOCKED)
    await mineAndRead(bitcoind(), message.txid)
    // Knots by itself takes the network's id in the script for data, and relays nothing that shows it.
    if (policy === 'core') await expectRelayed(bitcoind(), child)
    await bitcoind().mineBlock([child.raw])
  })
})

/** Of a message, as anybody can write it. */
function signalSpend({ txid }: Built, sequence: number): Spend {
  const script = concatBytes(Uint8Array.of(32), networkId(PARAMS), Uint8Array.of(0x75, 0x51, 0xb2))
  return {
    ...{ outpoint: { txid, vout: 1 }, value: SIGNAL_VALUE, script: signalScript(PARAMS), sequence, leaf: undefined },
    witness: () => [script],
  }
}

/** The reveal's pieces in a transaction of somebody else's, with the signatures as they were or with his own. */
function snipe(commit: Built, reveal: Built, signature: 'copied' | 'own'): Uint8Array {
  const sniper = freshKey()
  const { outputs } = readTransaction(commit.raw)
  const spends = readTransaction(reveal.raw).inputs.map(({ previous, witness }): Spend => {
    const { value, script } = outputs[previous.vout] as L1Output
    const signed: Spend['witness'] = (sign) =>
      signature === 'own' ? witness.with(-3, sign(sniper.secret)) : [...witness]
    return { outpoint: previous, value, script, sequence: 0xfffffffd, leaf: witness.at(-2), witness: signed }
  })
  return build(spends, [{ script: sniper.script, value: 500n }]).raw
}
