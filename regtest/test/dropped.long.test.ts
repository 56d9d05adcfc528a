import { readFileSync } from 'node:fs'
import { readTip } from '@kedge/bitcoin'
import { fromHex } from '@kedge/core'
import { readBalance, readHistory, resumeSends, send, WalletError } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { branchAt, goBack, mineSlowly } from '../src/chaos/branches.ts'
import { makeRivals, send as sendRaw } from '../src/chaos/crowd.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { runKedge } from '../src/kedge.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** Bitcoin Core puts back into its mempool what no more than ten replaced blocks held. */
const FORGOTTEN_FROM = 11

const emptyBlocks = (count: number) => Array.from({ length: count }, () => [])
const quietly = () => undefined

let stand: Stand
let stage: Stage
let [alice, bob] = [] as unknown as [Person, Person]

async function kedge(command: string, { wallet }: Person): Promise<string> {
  const { rpc } = stand.network.bitcoind
  const cookie = 'cookieFile' in rpc.login ? rpc.login.cookieFile : ''
  const bitcoin = ['--bitcoin-url', rpc.url, '--bitcoin-cookie-file', cookie]
  const args = ['wallet', command, '--wallet', wallet.path, '--node', wallet.client.baseUrl, ...bitcoin]
  const { code, stdout, stderr } = await runKedge(args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

const moneyOf = async (person: Person) => (await stage.account(stand.network.sequencer, person)).balance

/** A deposit, and eleven blocks that replace its own and hold nothing. */
async function loseDeposit(): Promise<void> {
  const { network } = stand
  const [carol] = (await stage.newcomers(['carol'])) as [Person]
  await stage.deposit(carol)
  await network.mine(FORGOTTEN_FROM)
  await network.bitcoind.reorg(FORGOTTEN_FROM, emptyBlocks(FORGOTTEN_FROM + 1))
  await network.synced()
  expect(await readBalance(carol.wallet, network.bitcoind.rpc)).toMatchObject({
    balance: 0n,
    bitcoin: 1_000_000n,
    deposits: [{ sats: 400_000n, standing: 'missing' }],
  })
  expect(await kedge('balance', carol)).toMatch(/bitcoin {2}1,000,000 sat[\s\S]*missing[\s\S]*kedge wallet resume/)
  expect(await kedge('resume', carol)).toMatch(
    /^deposit of 400,000 sat, transaction [0-9a-f]{64}: sent to Bitcoin again/,
  )
  expect(await kedge('balance', carol)).toMatch(/unmined {2}400,000 sat/)
  await stage.mineUntil('the deposit is credited', (note) => stage.areCredited([carol], note), quietly)
  expect(await kedge('resume', carol)).toBe('nothing was left to send\n')
}

/**
 * Three payments, the first to somebody whose only deposit is spent otherwise on another branch: she has no account
 * there, and the other two lack the one before them.
 */
async function loseRecipient(): Promise<void> {
  const { network } = stand
  const [dora] = (await stage.newcomers(['dora'])) as [Person]
  const { deposit, rival } = await makeRivals(network.bitcoind, network.params, fromHex(dora.key), 100_000n)
  await network.mine()
  const height = (await readTip(network.bitcoind.rpc)).height + 1
  await sendRaw(network.bitcoind, deposit)
  await stage.mineUntil('dora has an account', async () => (await moneyOf(dora)) > 0n || undefined, quietly)
  const [before, hers] = [await moneyOf(bob), await moneyOf(dora)]
  const sent = [
    await send(alice.wallet, { to: dora.key, amount: 1_000n, memo: 'rent' }),
    await send(alice.wallet, { to: bob.key, amount: 2_000n }),
    await send(alice.wallet, { to: bob.key, amount: 3_000n }),
  ]
  const ids = sent.map(({ id }) => id)
  const [first = '', second = '', third = ''] = ids
  const [old] = recordsOf(alice).filter(({ id }) => id === first)
  await stage.mineTo('anchored', network.sequencer, third, quietly)
  const here = await branchAt(network, height)

  await network.bitcoind.reorg((await readTip(network.bitcoind.rpc)).height - height + 1, [[rival]])
  await stage.mineUntil('they are dropped', () => isDropped(ids), quietly)
  expect([await moneyOf(bob), await moneyOf(dora)]).toEqual([before, 0n])
  await expectListed(ids)
  expect(await kedge('resume', alice)).toMatch(
    new RegExp(
      `^payment [0-9a-f]{64}: sequenced, signed anew in the place of ${first}\npayment ${second}: sequenced\npayment ${third}: sequenced\n$`,
    ),
  )
  expect([await moneyOf(bob), await moneyOf(dora)]).toEqual([before + 5_000n, 1_000n])
  // Whoever has the old bytes can't pay with them once more.
  const again = network.sequencer.client.submitTransfer({ transfer: old?.transfer ?? '' })
  await expect(again).rejects.toMatchObject({ code: 'nonce-used' })
  await expectSettled()
  await mineSlowly(network, 3)
  await network.agreed()

  // Back on the branch where the old one is anchored, the one that replaced it finds its nonce used.
  await goBack(network, await branchAt(network, height), here)
  await mineSlowly(network, 4)
  await stage.mineTo('anchored', network.sequencer, third, quietly)
  await network.agreed()
  for (const node of network.running) {
    expect((await stage.account(node, bob)).balance).toBe(before + 5_000n)
    expect((await stage.account(node, dora)).balance).toBe(hers + 1_000n)
  }
  await expectSettled()
}

function recordsOf({ wallet }: Person): readonly { readonly id: string; readonly transfer: string }[] {
  return (JSON.parse(readFileSync(wallet.path, 'utf8')) as { sends: { id: string; transfer: string }[] }).sends
}

async function isDropped(ids: readonly string[]): Promise<true | undefined> {
  const payments = await Promise.all(ids.map((id) => stage.payment(stand.network.sequencer, id)))
  return payments.every((payment) => payment?.rung === 'dropped') || undefined
}

async function expectListed(ids: readonly string[]): Promise<void> {
  const { unplaced } = await readHistory(alice.wallet)
  expect(unplaced.map(({ id, amount, standing, reason, text }) => [id, amount, standing, reason, text])).toEqual([
    [ids[0], 1_000n, 'dropped', 'may-not-create', 'rent'],
    [ids[1], 2_000n, 'dropped', 'nonce-ahead', undefined],
    [ids[2], 3_000n, 'dropped', 'nonce-ahead', undefined],
  ])
  const history = await kedge('history', alice)
  for (const id of ids) expect(history).toContain(id)
  expect(history).toContain('kedge wallet resume')
  expect(await kedge('balance', alice)).toMatch(
    /unpaid {3}3 payments of 6 sat in no batch that the node knows[\s\S]*kedge wallet resume/,
  )
}

async function expectSettled(): Promise<void> {
  expect(await resumeSends(alice.wallet)).toEqual([])
  expect((await readHistory(alice.wallet)).unplaced).toEqual([])
}

/** A batch that lapses keeps payments out for some blocks; asking again submits the same bytes. */
async function pay(): Promise<string> {
  for (let blocks = 0; ; blocks++) {
    try {
      return (await send(alice.wallet, { to: bob.key, amount: 1_000n })).id
    } catch (error) {
      const isKeptOut = error instanceof WalletError && ['not-answered', 'earlier-open'].includes(error.code)
      if (!isKeptOut || blocks === 12) throw error
      await mineSlowly(stand.network, 1)
    }
  }
}

/** Rounds of more blocks at once than an origin may be old, the last of them replaced. */
async function hurry(): Promise<void> {
  const { network } = stand
  const before = await moneyOf(bob)
  const ids: string[] = []
  for (let round = 0; round < 2; round++) {
    ids.push(await pay(), await pay())
    await network.mine(24)
    await network.reorg(3)
    await network.waitFor({ until: 'payments are taken again' }, async (note) => {
      const { mode, synced } = await network.sequencer.client.health()
      note(mode)
      if (mode === 'active' && synced) return true
      await mineSlowly(network, 1)
      return undefined
    })
  }
  await stage.mineTo('anchored', network.sequencer, ids.at(-1) ?? '', quietly)
  await expectSettled()
  expect(await moneyOf(bob)).toBe(before + 4_000n)
}

/** A batch that promises a state which its operations do not lead to. */
async function lie(): Promise<void> {
  const { network } = stand
  const [challenger] = network.challengers
  if (challenger === undefined) throw new Error('there is no challenger')
  await network.sequencer.send({ lie: 'credit-itself' })
  await send(alice.wallet, { to: bob.key, amount: 1_000n })
  const { message } = await stage.untilWaiting('the anchor', (waiting) => waiting.message.kind === 'batch', quietly)
  await network.mine()
  const told = await network.waitFor({ until: 'the challenger logs the lie' }, () => {
    const lines = readFileSync(challenger.logFile, 'utf8').trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ proven }) => proven === true)
  })
  const number = message.kind === 'batch' ? await stage.numberOf(message.headerHash) : 0
  expect(told).toMatchObject({ level: 40, number, fault: 'wrong-root', msg: 'a batch is rejected: it is faulty' })
}

/** On one network: what a wallet says and does after reorganisations that took its payments and deposits away. */
describeOnBitcoind('what was dropped', () => {
  beforeAll(async () => {
    stand = await openStand({ challengers: 1, sealAfterMs: 150, mayLie: true })
    stage = new Stage(stand.network, (_, work) => work(quietly))
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  test.each([
    ['a deposit that Bitcoin forgot is told of, and sent again', loseDeposit],
    ['payments that can’t be executed are listed, paid by resume, and once in every branch', loseRecipient],
    ['payments do not expire while blocks come faster than batches', hurry],
    ['a lie is logged by who rejects the batch', lie],
  ])('%s', { timeout: 180_000 }, (_, work) => stand.play(work))
})
