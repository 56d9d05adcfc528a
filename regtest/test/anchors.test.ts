import {
  type BuiltLink,
  build,
  buildAnchor,
  buildTakeover,
  type Funding,
  type LinkPlan,
  readMempoolEntry,
} from '@kedge/bitcoin'
import { anchorOutput, anchorScript, batchAnchor, encodeMessage } from '@kedge/core'
import { expect, test } from 'vitest'
import {
  ANCHOR_SECRET,
  describeOnBitcoind,
  expectRefused,
  expectRelayed,
  fundedKey,
  fundedLink,
  LOCKED,
  mineAndRead,
  NOT_THE_WATCHERS,
  PARAMS,
  SCRIPT,
  useBitcoind,
  WATCHERS,
  witnessOf,
} from './ground.ts'

const HASH = new Uint8Array(32).fill(0xab)
const BUDGET = { floor: 1_000n, refill: 30_000n }

function planOf(link: LinkPlan['link'], funding: Funding): LinkPlan {
  const payload = encodeMessage(batchAnchor({ parent: HASH, origin: { height: 1, hash: HASH }, post: HASH }, HASH))
  return { params: PARAMS, link, payload, budget: BUDGET, funding }
}

/** Its key is in no place of that leaf. */
const ANCHOR_ALONE = ['the anchor key', [undefined, ANCHOR_SECRET, ANCHOR_SECRET]] as const

describeOnBitcoind.each(['default', 'core'] as const)('the anchor chain under the %s policy', (policy) => {
  const bitcoind = useBitcoind(policy)

  test('twenty anchors wait in a row, and the last is replaced', async () => {
    const funding = await fundedKey(bitcoind(), 1)
    let link = await fundedLink(bitcoind(), 50_000n)
    let tip = link
    const anchors: BuiltLink[] = []
    for (let count = 0; count < 20; count++) {
      tip = link
      const built = buildAnchor(planOf(link, funding), ANCHOR_SECRET)
      await expectRelayed(bitcoind(), built)
      anchors.push(built)
      link = built.next
    }
    // Issue and bench promise no more than 200.
    expect(new Set(anchors.map(({ vsize }) => vsize))).toEqual(new Set([199]))
    const last = anchors[19] as BuiltLink
    expect(await readMempoolEntry(bitcoind().rpc, last.txid)).toMatchObject({ ancestors: 20 })
    const replaced = buildAnchor(planOf(tip, { ...funding, feeRate: 5 }), ANCHOR_SECRET)
    await expectRelayed(bitcoind(), replaced)
    expect(await readMempoolEntry(bitcoind().rpc, last.txid)).toBeUndefined()
    const mined = await mineAndRead(bitcoind(), replaced.txid)
    expect(mined.inputs[0]?.previous).toEqual(anchors[18]?.next.outpoint)
    expect(mined.outputs.map(({ script }) => script)[1]).toEqual(anchorScript(PARAMS))
  })

  test('an anchor whose link is used up is helped by coins, also in a replacement', async () => {
    const funding = await fundedKey(bitcoind(), 2, 100_000n)
    const link = await fundedLink(bitcoind(), 1_100n)
    const plan = planOf(link, funding)
    await expectRelayed(bitcoind(), buildAnchor(plan, ANCHOR_SECRET))
    const replaced = buildAnchor({ ...plan, funding: { ...funding, feeRate: 4 } }, ANCHOR_SECRET)
    await expectRelayed(bitcoind(), replaced)
    const mined = await mineAndRead(bitcoind(), replaced.txid)
    expect(mined.outputs[1]).toEqual({ script: anchorScript(PARAMS), value: 30_000n })
    expect(mined.inputs.length).toBe(2)
  })

  test("a stranger can't spend a link", async () => {
    const link = await fundedLink(bitcoind(), 50_000n)
    const built = buildAnchor(planOf(link, await fundedKey(bitcoind(), 1)), WATCHERS[0] as Uint8Array)
    await expectRefused(bitcoind(), built.raw, 'invalid', SCRIPT)
  })

  test('the watchers take over once X blocks have passed, not one earlier', async () => {
    const link = await fundedLink(bitcoind(), 50_000n)
    const plan = {
      ...planOf(link, await fundedKey(bitcoind(), 1)),
      payload: encodeMessage({ kind: 'resume', headerHash: HASH, word: new Uint8Array(32) }),
    }
    const built = buildTakeover(plan, WATCHERS.slice(1))
    const hasty = buildTakeover(
      { ...plan, params: { ...PARAMS, windows: { ...PARAMS.windows, takeover: 39 } } },
      WATCHERS,
    )
    await bitcoind().mine(PARAMS.windows.takeover - 2)
    await expectRefused(bitcoind(), built.raw, 'early', LOCKED)
    // Another wait means another leaf, and another output than the one that is there.
    await expectRefused(bitcoind(), hasty.raw, 'invalid', SCRIPT)
    await bitcoind().mine(1)
    await expectRelayed(bitcoind(), built)
    const mined = await mineAndRead(bitcoind(), built.txid)
    expect(mined.outputs[1]?.script).toEqual(anchorScript(PARAMS))
    // The chain goes on from there, by the anchor key again.
    await expectRelayed(bitcoind(), buildAnchor(planOf(built.next, await fundedKey(bitcoind(), 1)), ANCHOR_SECRET))
  })

  test('the takeover is t watchers’ and nobody else’s, however long the link has stood', async () => {
    const link = await fundedLink(bitcoind(), 50_000n)
    await bitcoind().mine(PARAMS.windows.takeover)
    const output = anchorOutput(PARAMS)
    const spend = { ...link, script: output.script, sequence: PARAMS.windows.takeover, leaf: output.leaf }
    const outputs = [{ script: output.script, value: 49_000n }]
    for (const [, signers] of [...NOT_THE_WATCHERS, ANCHOR_ALONE])
      await expectRefused(
        bitcoind(),
        build([{ ...spend, witness: witnessOf(signers, output) }], outputs).raw,
        'invalid',
        SCRIPT,
      )
    const [one, two] = WATCHERS
    const watchers = { ...spend, witness: witnessOf([undefined, two, one], output) }
    // Without the sequence the leaf's wait is not met, whoever signs.
    await expectRefused(bitcoind(), build([{ ...watchers, sequence: 0xfffffffd }], outputs).raw, 'invalid', SCRIPT)
    await expectRelayed(bitcoind(), build([watchers], outputs))
  })
})
