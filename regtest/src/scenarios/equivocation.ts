import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BondView } from '@kedge/api'
import { addressOf, coinKey, publicKeyOf } from '@kedge/bitcoin'
import { findSlotSecret } from '@kedge/bond'
import { decodeReceipt, encodeDocument, equalBytes, type Receipt, regtestBond, sha256 } from '@kedge/core'
import { checkReceipt, fetchReceipt, send } from '@kedge/wallet'
import { runKedge } from '../kedge.ts'
import { bitcoinSettings } from '../layout.ts'
import { fundOperator, runBond, setUpBond } from '../operator.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'

const AMOUNT = 9_000n

/** The sequencer promises one slot to two payers; an outsider with both promises, and nothing else, takes its bond. */
export const equivocation: Scenario = {
  name: 'equivocation',
  title: 'equivocation: two payers get a promise in one slot, and an outsider takes the sequencer’s bond',
  alone: { challengers: 3, bond: regtestBond },
  run: async (stage) => {
    const bond = await stake(stage)
    const [alice, bob, carol] = (await stage.people(3)) as [Person, Person, Person]
    const first = await stage.step('alice pays bob, and keeps the receipt', () => pay(stage, alice, bob))
    const second = await stage.step(
      'carol pays bob: the sequencer promises her the first place, in the slot of alice’s promise; her wallet finds it in order',
      async () => {
        await stage.network.sequencer.send({ lie: 'promise-twice' })
        return pay(stage, carol, bob)
      },
      ({ receipt: { tick, opIndex } }) => `operation ${opIndex} of batch ${tick.number}, by tick ${tick.index}`,
    )
    await reveal(stage, first.receipt, second.receipt)
    await slash(stage, bond, [first, second])
    await afterwards(stage)
  },
}

function stake(stage: Stage): Promise<BondView> {
  const { network } = stage
  return stage.step(
    'the operator stakes a bond: all watchers sign both ways out first, then it is funded; batches count from then on',
    async () => {
      await fundOperator(network)
      const txid = await setUpBond(network)
      for (const node of network.running) {
        const { covered, bonds } = await node.client.bonds({})
        expect(covered && bonds[0]?.txid === txid, `${node.name} sees no bond`)
      }
      return onlyBond(stage)
    },
    ({ txid, sats }) => `${sats.toLocaleString('en')} sat in ${txid}`,
  )
}

async function onlyBond({ network }: Stage): Promise<BondView> {
  const { bonds } = await network.sequencer.client.bonds({})
  const [bond] = bonds
  expect(bond !== undefined && bonds.length === 1, `there are ${bonds.length} bonds`)
  return bond
}

interface Promised {
  readonly receipt: Receipt
  /** As the wallet keeps it. */
  readonly file: string
}

async function pay({ network }: Stage, { name, wallet }: Person, to: Person): Promise<Promised> {
  const { id } = await send(wallet, { to: to.key, amount: AMOUNT })
  const document = await fetchReceipt(wallet, id)
  const bytes = encodeDocument(document)
  checkReceipt(network.params, bytes)
  const receipt = decodeReceipt(document.receipt)
  if (receipt === undefined) throw new Error('a receipt that was checked does not decode')
  const file = join(network.folder, `${name}.receipt`)
  await writeFile(file, bytes)
  return { receipt, file }
}

function reveal(stage: Stage, first: Receipt, second: Receipt): Promise<void> {
  return stage.step('an outsider with the two receipts, and without a node, computes the secret slot key', () => {
    const { params } = stage.network
    const secret = findSlotSecret(params, { ticks: [first, second], headers: [] })
    expect(secret !== undefined, 'the two receipts give nothing away')
    expect(equalBytes(publicKeyOf(secret), params.keys.slot), 'it is another key')
    expect(findSlotSecret(params, { ticks: [first, first], headers: [] }) === undefined, 'one receipt gives it away')
    return Promise.resolve()
  })
}

function slash(stage: Stage, bond: BondView, promises: readonly Promised[]): Promise<void> {
  const { network } = stage
  return stage.step(
    'the outsider slashes the bond: 80 percent are burnt, the rest is the reward; every node sees it on Bitcoin',
    async () => {
      const [one, other] = promises.map(({ file }) => file) as [string, string]
      const honest = await runSlash(stage, one, one)
      expect(honest.code === 2, `one receipt by itself slashes: ${honest.stdout}`)
      const ran = await runSlash(stage, one, other)
      expect(ran.code === 0, `kedge bond slash: ${ran.stdout}${ran.stderr}`)
      await network.mine()
      for (const node of network.running) {
        const { covered, bonds } = await node.client.bonds({})
        expect(
          !covered && bonds[0]?.end?.outcome === 'slashed',
          `${node.name} does not see that ${bond.txid} is slashed`,
        )
      }
    },
  )
}

/** Somebody without a key of the network: its parameters, a node to ask, a bitcoind, and the two files. */
function runSlash({ network }: Stage, one: string, other: string) {
  const to = addressOf(coinKey(sha256(new TextEncoder().encode('an outsider'))).script, 'regtest')
  const settings = {
    params: join(network.folder, 'params.json'),
    node: network.challengers[0]?.ready.api,
    ...bitcoinSettings(network.bitcoind.rpc),
  }
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key.replaceAll('.', '-')}`, String(value)])
  return runKedge(['bond', 'slash', '--evidence', one, '--evidence', other, '--to', to, ...args, '--yes', '--json'])
}

function afterwards(stage: Stage): Promise<void> {
  const { network } = stage
  return stage.step(
    'the operator can’t take the bond back, and gets no other: the watchers refuse to sign',
    async () => {
      const back = await runBond(network, 'return', '--yes')
      expect(back.code === 2, `the bond is returned: ${back.stdout}`)
      const again = await runBond(network, 'setup', '--yes', '--timeout', '20')
      expect(again.stderr.includes('its sequencer gets no other'), `it is set up again: ${again.stdout}${again.stderr}`)
    },
  )
}
