import { readFileSync } from 'node:fs'
import { ApiError } from '@kedge/api'
import { readTip } from '@kedge/bitcoin'
import { readBalance, readHistory, resumeSends, type SentPayment, send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { branchAt, goBack, mineSlowly } from '../src/chaos/branches.ts'
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

/** Payments whose batch is replaced by nothing until they have expired. */
async function loseBatch(): Promise<void> {
  const { network } = stand
  const { bitcoind, sequencer } = network
  const { wallet } = alice
  await stage.quiet()
  await network.mine()
  const before = await moneyOf(bob)
  const sent: SentPayment[] = []
  for (const amount of [1_000n, 2_000n, 3_000n])
    sent.push(await send(wallet, { to: bob.key, amount, ...(amount === 2_000n && { memo: 'rent' }) }))
  const ids = sent.map(({ id }) => id)
  const [first] = sent
  if (first === undefined) throw new Error('nothing was sent')
  const { sends } = JSON.parse(readFileSync(wallet.path, 'utf8')) as { sends: { id: string; transfer: string }[] }
  const old = sends.filter(({ id }) => ids.includes(id)).map(({ transfer }) => transfer)

  // They are anchored on the first branch; the second has nothing in it until they have expired.
  const { height } = await readTip(bitcoind.rpc)
  await stage.mineTo('anchored', sequencer, first.id, quietly)
  const depth = (await readTip(bitcoind.rpc)).height - height
  const here = await branchAt(network, height + 1)
  await bitcoind.reorg(depth, emptyBlocks(first.expiry - height + 2))
  await network.synced()
  await mineSlowly(network, 4)
  await stage.mineUntil(
    'they are dropped',
    async () => {
      const payment = await stage.payment(sequencer, first.id)
      return payment?.rung === 'dropped' ? payment : undefined
    },
    quietly,
  )
  expect(await moneyOf(bob)).toBe(before)

  const { unplaced } = await readHistory(wallet)
  expect(unplaced.map(({ id, amount, standing, reason, text }) => [id, amount, standing, reason, text])).toEqual([
    [ids[0], 1_000n, 'dropped', 'expired', undefined],
    [ids[1], 2_000n, 'dropped', expect.stringMatching(/^(expired|nonce-ahead)$/), 'rent'],
    [ids[2], 3_000n, 'dropped', expect.stringMatching(/^(expired|nonce-ahead)$/), undefined],
  ])
  const history = await kedge('history', alice)
  for (const id of ids) expect(history).toContain(id)
  expect(history).toContain('kedge wallet resume')
  expect(await kedge('balance', alice)).toMatch(
    /unpaid {3}3 payments of 6 sat in no batch that the node knows[\s\S]*kedge wallet resume/,
  )

  const resumed = await kedge('resume', alice)
  for (const id of ids) expect(resumed).toMatch(new RegExp(`sequenced, signed anew in the place of ${id}`))
  expect(await moneyOf(bob)).toBe(before + 6_000n)
  for (const transfer of old) {
    const refusal: unknown = await sequencer.client.submitTransfer({ transfer }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(ApiError)
  }
  expect(await resumeSends(wallet)).toEqual([])
  expect((await readHistory(wallet)).unplaced).toEqual([])
  await mineSlowly(network, 3)
  await network.agreed()

  // Back on the first branch the old ones are anchored: those that replaced them find their nonces used.
  await goBack(network, await branchAt(network, height + 1), here)
  await mineSlowly(network, 4)
  await stage.mineTo('anchored', sequencer, first.id, quietly)
  await network.agreed()
  for (const node of network.running) expect((await stage.account(node, bob)).balance).toBe(before + 6_000n)
  expect(await resumeSends(wallet)).toEqual([])
  expect((await readHistory(wallet)).unplaced).toEqual([])
}

/** Rounds of more blocks at once than an origin may be old, the last of them replaced. */
async function hurry(): Promise<void> {
  const { network } = stand
  const before = await moneyOf(bob)
  const ids: string[] = []
  for (let round = 0; round < 6; round++) {
    for (let each = 0; each < 2; each++) ids.push((await send(alice.wallet, { to: bob.key, amount: 1_000n })).id)
    await network.mine(30)
    await network.reorg(3)
    await network.waitFor({ until: 'payments are taken again' }, async (note) => {
      const { mode, synced } = await network.sequencer.client.health()
      note(mode)
      if (mode === 'active' && synced) return true
      await mineSlowly(network, 1)
      return undefined
    })
  }
  const [last] = ids.slice(-1)
  await stage.mineTo('anchored', network.sequencer, last ?? '', quietly)
  expect((await readHistory(alice.wallet)).unplaced).toEqual([])
  expect(await moneyOf(bob)).toBe(before + 12_000n)
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
  const number = message.kind === 'batch' ? message.number : 0
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
    ['payments that expired on the way are listed, paid once by resume, and once in every branch', loseBatch],
    ['payments do not expire while blocks come faster than batches', hurry],
    ['a lie is logged by who rejects the batch', lie],
  ])('%s', { timeout: 180_000 }, (_, work) => stand.play(work))
})
