import { ApiError, type VaultView } from '@kedge/api'
import { addressOf } from '@kedge/bitcoin'
import { concatBytes } from '@kedge/core'
import { send } from '@kedge/wallet'
import type { NodeProcess } from '../node-process.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import type { Note } from '../waiting.ts'
import { type Kedge, readJson, walletOf } from '../wallet-program.ts'

/** Bitcoin goes in, is paid around, and comes out: two withdrawals, which one payout serves where one batch holds both. */
export const withdraw: Scenario = {
  name: 'withdraw',
  title: 'withdraw: deposit, pay, withdraw, payout: bitcoin gets in, and out again',
  run: async (stage) => {
    const { network } = stage
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    const [challenger] = network.challengers as [NodeProcess]
    const kedge = walletOf(stage, alice, network.sequencer)
    const quote = await stage.step(
      'alice pays bob, and asks what it costs to take bitcoin out: nothing is signed for that',
      async () => {
        await send(alice.wallet, { to: bob.key, amount: 9_000n })
        const asked = await kedge('withdraw', '50000sat', alice.bitcoin, '--quote')
        return readJson(asked) as { payoutFee: string; arrives: string; payableAt: number }
      },
      ({ arrives, payoutFee, payableAt }) =>
        `${arrives} of 50,000 sat arrive at least (up to ${payoutFee} for the payout), from height ${payableAt} on`,
    )
    const others = walletOf(stage, bob, challenger)
    const ids = await stage.step(
      'she withdraws to her taproot address, bob to one of another kind through a challenger; both are promised',
      () =>
        Promise.all([takeOut(kedge, '50000sat', alice.bitcoin), takeOut(others, '30000sat', witnessAddress(stage))]),
      (both) => both.map((id) => `${id.slice(0, 16)}…`).join(' and '),
    )
    await stage.step(
      'the batch is anchored and becomes final; the vault owes both from then on, and no node finds less than is owed',
      async (note) => {
        await stage.mineUntil('both are anchored', (tell) => areAt(challenger, ids, 'anchored', tell), note)
        await network.mine(network.params.windows.dispute - 1)
        await stage.mineUntil('both are final', (tell) => areAt(challenger, ids, 'final', tell), note)
        await expectSolvent(stage)
      },
    )
    await stage.step(
      `${network.params.windows.originDepth} block later they are payable, and the watchers pay both`,
      (note) => stage.mineUntil('both are paid', (tell) => arePaid(challenger, ids, tell), note),
      (txids) => `by ${txids.size === 1 ? 'one transaction' : 'two transactions'}`,
    )
    await stage.step(
      'alice’s wallet finds her money in the block; every node’s vault still holds what is owed',
      async () => {
        const [id = ''] = ids
        const status = readJson(await walletOf(stage, alice, challenger)('status', id)) as Status
        const check = status.checks.find(({ name }) => name === 'payout')
        expect(check?.verdict === 'holds', `the wallet's check of the payout: ${check?.note ?? 'missing'}`)
        const paid = BigInt(check.note.split(' ')[0] ?? '0')
        expect(paid >= BigInt(quote.arrives), `${paid} sat arrived, less than was promised`)
        await expectSolvent(stage)
        return paid
      },
      (paid) => `${paid.toLocaleString('en')} sat`,
    )
  },
}

interface Status {
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly note: string }[]
}

async function takeOut(kedge: Kedge, amount: string, address: string): Promise<string> {
  const sent = readJson(await kedge('withdraw', amount, address, '--yes')) as { id: string; rung: string }
  expect(sent.rung === 'sequenced', `the withdrawal is ${sent.rung}`)
  return sent.id
}

/** P2WPKH, of nobody's key. */
function witnessAddress({ network }: Stage): string {
  return addressOf(concatBytes(Uint8Array.of(0, 20), new Uint8Array(20).fill(0x42)), network.params.chain)
}

const LADDER = ['pending', 'sequenced', 'anchored', 'final', 'payable', 'paid']

async function areAt(node: NodeProcess, ids: readonly string[], rung: string, note: Note): Promise<true | undefined> {
  const rungs = await Promise.all(ids.map((id) => rungOf(node, id)))
  note(rungs.join(', '))
  return rungs.every((each) => LADDER.indexOf(each) >= LADDER.indexOf(rung)) ? true : undefined
}

/** Until its batch is anchored, a challenger may not have heard of it. */
async function rungOf(node: NodeProcess, id: string): Promise<string> {
  try {
    return (await node.client.withdrawal({ id })).rung
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return 'pending'
    throw error
  }
}

/** Their payouts' transactions. */
async function arePaid(
  node: NodeProcess,
  ids: readonly string[],
  note: Note,
): Promise<ReadonlySet<string> | undefined> {
  const views = await Promise.all(ids.map((id) => node.client.withdrawal({ id })))
  note(views.map(({ rung }) => rung).join(', '))
  const txids = views.flatMap((view) => ('payout' in view && view.payout !== undefined ? [view.payout.txid] : []))
  return txids.length < ids.length ? undefined : new Set(txids)
}

async function expectSolvent({ network }: Stage): Promise<void> {
  const views: VaultView[] = await Promise.all(network.running.map(({ client }) => client.vault()))
  for (const { assets, liabilities } of views)
    expect(assets >= liabilities, `${assets} msat are there, and ${liabilities} are owed`)
}
