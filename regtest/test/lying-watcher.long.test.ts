import { joinVaultSpend, sendTransaction, signHash, testAccept, vaultToSign } from '@kedge/bitcoin'
import { decodeAnswer, encodeAsking, type VaultAnswer } from '@kedge/challenger'
import {
  type L1Output,
  networkId,
  type PayoutProposal,
  planPayout,
  type VaultPlan,
  type VaultProposal,
  ZERO_HASH,
} from '@kedge/core'
import { createHost, type Host } from '@kedge/p2p'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { mineSlowly } from '../src/chaos/branches.ts'
import { gather, type Payer } from '../src/chaos/crowd.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { watcherSecrets } from '../src/layout.ts'
import { describeOnBitcoind } from './ground.ts'
import { finalHash, inOrder, minePaid, type Owed, paymentsOf, vaultNow, withdraw } from './owed.ts'

let stand: Stand
let liar: Host
let payers: readonly Payer[]
/** Claims 0 and 1, payable; claim 2, which is not final. */
let owed: readonly Owed[]
let late: Owed

/** Beside the challenger at that place. */
async function startLiar(at = 0): Promise<Host> {
  const { network } = stand
  const host = await createHost({
    secretKey: new Uint8Array(32).fill(0x66 + at),
    network: networkId(network.params),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: network.challengers[at]?.ready.addresses ?? [],
    validateHeader: () => 'ignore',
    answerData: () => Promise.resolve(undefined),
    report: (error) => expect.fail(String(error)),
  })
  await network.waitFor({ until: 'the liar is connected' }, () => (host.peers().length > 0 ? true : undefined))
  return host
}

const secret = (place: number) => watcherSecrets(stand.network.folder)[place] as Uint8Array

/** What the honest watcher answers. */
async function ask(proposal: VaultProposal, place = 2, by = secret(2), host = liar): Promise<VaultAnswer> {
  const answers: (VaultAnswer | undefined)[] = []
  const request = encodeAsking(networkId(stand.network.params), { proposal, place }, by)
  const take = (bytes: Uint8Array) => answers.push(decodeAnswer(bytes)) > 0
  await host.askWatchers(request, { signal: AbortSignal.timeout(10_000), take })
  const [answer] = answers
  if (answer === undefined) throw new Error('the honest watcher gave no answer')
  return answer
}

async function planned(rate = 1_000n): Promise<{ plan: VaultPlan; proposal: PayoutProposal }> {
  const { bitcoind, params } = stand.network
  const vault = await vaultNow(bitcoind.rpc, params)
  const headerHash = await finalHash(stand.network)
  const plan = planPayout(
    params,
    vault,
    owed.map((one, number) => ({ ...one, number })),
    headerHash,
    rate,
  )
  if (plan === undefined) throw new Error('there is no payout')
  return { plan, proposal: { kind: 'payout', head: vault.head, fee: plan.fee, headerHash, claims: plan.claims } }
}

/** The claim whose owner would pay nearly anything. */
const rich = () => owed.findIndex(({ payoutFee }) => payoutFee > 2_000n)

const reasonOf = (answer: VaultAnswer) => (answer.kind === 'refused' ? answer.reason : answer.kind)

async function start(): Promise<void> {
  stand = await openStand({ challengers: 2, sealAfterMs: 150 })
  const { network } = stand
  payers = await gather(network, 3, 300_000n)
  await (network.challengers[1] as (typeof network.challengers)[0]).kill()
  const both = [
    await withdraw(network, payers[0] as Payer, 20_000n, 2_000n),
    await withdraw(network, payers[1] as Payer, 100_000n, 90_000n),
  ]
  await mineSlowly(network, 14)
  owed = await inOrder(network, both)
  late = await withdraw(network, payers[2] as Payer, 30_000n, 2_000n)
  await mineSlowly(network, 5)
  liar = await startLiar()
}

/** Asks each of two honest watchers for a payout of another claim, for as long as both could be paid. */
async function setApart(): Promise<void> {
  const { network } = stand
  const second = await startLiar(1)
  const apart = [
    await withdraw(network, payers[0] as Payer, 20_000n, 2_000n),
    await withdraw(network, payers[1] as Payer, 30_000n, 2_000n),
  ]
  const answers = new Set<string>()
  const over = new AbortController()
  const asking = [liar, second].map(async (host, at) => {
    while (!over.signal.aborted) {
      const { head } = await vaultNow(network.bitcoind.rpc, network.params)
      const headerHash = await finalHash(network)
      const claims = [3 + at]
      const proposal = { kind: 'payout', head, headerHash, claims, fee: 400n } as const
      answers.add(reasonOf(await ask(proposal, 2, secret(2), host)))
    }
  })
  // As many blocks as the wait for finality, and a few for the spends.
  await mineSlowly(network, 25)
  over.abort()
  await Promise.all(asking)
  await second.stop()
  expect((await paymentsOf(network, apart)).map(({ length }) => length)).toEqual([1, 1])
  expect([...answers]).toContain('choice')
  expect([...answers]).not.toContain('signed')
}

/**
 * Of three watchers, two of whom must sign, one lies, one is honest and one is dead: the liar needs the honest one for
 * whatever it wants of the vault, and asks it for all it can think of.
 */
describeOnBitcoind('a watcher that lies', () => {
  beforeAll(start, 120_000)
  afterAll(async () => {
    await liar?.stop()
    await stand.close()
  }, 60_000)

  it(
    'gets no signature for a claim that is not owed or not final, another header, a stale head, or too high a fee',
    { timeout: 30_000 },
    () =>
      stand.play(async () => {
        const { proposal } = await planned()
        const { params } = stand.network
        const wrong: [string, Partial<PayoutProposal>][] = [
          ['claims', { claims: [0, 1, 2], fee: 3n * 300n }],
          ['claims', { claims: [7], fee: 300n }],
          ['header', { headerHash: ZERO_HASH }],
          ['header', { headerHash: new Uint8Array(32).fill(9) }],
          ['head', { head: params.vault }],
          ['head', { head: params.genesis }],
          // More than the poor claim allows; what the rich one allows, but above the node's cap of 100 sat/vB.
          ['fee', { fee: 2n * 2_001n }],
          ['fee', { claims: [rich()], fee: 80_000n }],
          ['fee', { fee: proposal.fee + 1n }],
        ]
        for (const [reason, more] of wrong)
          expect([reason, reasonOf(await ask({ ...proposal, ...more }))]).toEqual([reason, reason])
        const { head, fee } = proposal
        expect(reasonOf(await ask({ kind: 'sweep', head, fee, deposits: [params.genesis] }))).toBe('deposits')
      }),
  )

  it('gets none by the key of somebody who is no watcher, or in another’s place', () =>
    stand.play(async () => {
      const { proposal } = await planned()
      expect(reasonOf(await ask(proposal, 2, new Uint8Array(32).fill(0x55)))).toBe('stranger')
      expect(reasonOf(await ask(proposal, 0, secret(2)))).toBe('stranger')
      expect(reasonOf(await ask(proposal, 9, secret(2)))).toBe('stranger')
    }))

  it(
    'can’t use an honest signature for another amount, another script of the next head, or another payee',
    { timeout: 30_000 },
    () =>
      stand.play(async () => {
        const { bitcoind, params } = stand.network
        const { plan, proposal } = await planned()
        const answer = await ask(proposal)
        if (answer.kind !== 'signed') throw new Error(`refused: ${answer.reason}`)
        const [head, tag, first, ...rest] = plan.outputs as [L1Output, L1Output, L1Output, ...L1Output[]]
        const mine = { script: first.script.with(5, (first.script[5] as number) ^ 1) }
        const sign = (spend: VaultPlan) => {
          const own = vaultToSign(spend).hashes.map((hash) => signHash(hash, secret(2)))
          return joinVaultSpend(
            params,
            spend,
            new Map([
              [answer.place, answer.signatures],
              [2, own],
            ]),
          ).raw
        }
        expect(await testAccept(bitcoind.rpc, sign(plan))).toEqual({ ok: true })
        const bent: readonly (readonly L1Output[])[] = [
          [{ ...head, value: head.value - 1_000n }, tag, { ...first, value: first.value + 1_000n }, ...rest],
          [{ ...head, ...mine }, tag, first, ...rest],
          [head, tag, { ...first, ...mine }, ...rest],
          [head, tag, first],
        ]
        for (const outputs of bent)
          expect(await testAccept(bitcoind.rpc, sign({ ...plan, outputs }))).toMatchObject({
            ok: false,
            reason: 'invalid',
          })
        expect(() => joinVaultSpend(params, plan, new Map([[2, answer.signatures]]))).toThrow(RangeError)
      }),
  )

  it(
    'gets none for a payout that leaves out who bears the rate; and can do no more than help pay what is owed',
    { timeout: 60_000 },
    () =>
      stand.play(async () => {
        const { bitcoind, params } = stand.network
        const { proposal } = await planned()
        for (const claims of [[0], [1]]) expect(reasonOf(await ask({ ...proposal, claims, fee: 400n }))).toBe('choice')
        const { plan, proposal: dearer } = await planned(2_000n)
        const answer = await ask(dearer)
        if (answer.kind !== 'signed') throw new Error(`refused: ${answer.reason}`)
        const own = vaultToSign(plan).hashes.map((hash) => signHash(hash, secret(2)))
        const { raw } = joinVaultSpend(
          params,
          plan,
          new Map([
            [answer.place, answer.signatures],
            [2, own],
          ]),
        )
        expect(await sendTransaction(bitcoind.rpc, raw, 0n)).toEqual({ ok: true })
        await stand.network.challengers[1]?.start()
        await minePaid(stand.network, [...owed, late])
      }),
  )

  it(
    'can’t set two honest watchers apart: asked for one claim each, at every block and first, both pay both',
    { timeout: 90_000 },
    () => stand.play(setApart),
  )
})
