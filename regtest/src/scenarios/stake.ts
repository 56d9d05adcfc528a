import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BondView } from '@kedge/api'
import { addressOf, coinKey } from '@kedge/bitcoin'
import { decodeReceipt, encodeDocument, type Receipt, sha256 } from '@kedge/core'
import { checkReceipt, fetchReceipt, send } from '@kedge/wallet'
import { type Ran, runKedge } from '../kedge.ts'
import { bitcoinSettings } from '../layout.ts'
import { fundOperator, setUpBond } from '../operator.ts'
import { expect } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'

/** The operator's stake, and an outsider who takes it: what scenarios about the bond begin and end with. */

export function stake(stage: Stage): Promise<BondView> {
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

/** A payment's place, as the sequencer promised it. */
export interface Promised {
  readonly receipt: Receipt
  /** As the wallet keeps it. */
  readonly file: string
}

export async function pay({ network }: Stage, { name, wallet }: Person, to: Person, amount: bigint): Promise<Promised> {
  const { id } = await send(wallet, { to: to.key, amount })
  const document = await fetchReceipt(wallet, id)
  const bytes = encodeDocument(document)
  checkReceipt(network.params, bytes)
  const receipt = decodeReceipt(document.receipt)
  if (receipt === undefined) throw new Error('a receipt that was checked does not decode')
  const file = join(network.folder, `${name}.receipt`)
  await writeFile(file, bytes)
  return { receipt, file }
}

/** `kedge bond slash` by somebody without a key of the network: its parameters, a node to ask, a bitcoind, and `shown`. */
export function runSlash({ network }: Stage, ...shown: readonly string[]): Promise<Ran> {
  const to = addressOf(coinKey(sha256(new TextEncoder().encode('an outsider'))).script, 'regtest')
  const settings = {
    params: join(network.folder, 'params.json'),
    node: network.challengers[0]?.ready.api,
    ...bitcoinSettings(network.bitcoind.rpc),
  }
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key.replaceAll('.', '-')}`, String(value)])
  return runKedge(['bond', 'slash', ...shown, '--to', to, ...args, '--yes', '--json'])
}

/** Mines the slash, and finds it on every node. */
export async function expectSlashed({ network }: Stage, { txid }: BondView): Promise<void> {
  await network.mine()
  for (const node of network.running) {
    const { covered, bonds } = await node.client.bonds({})
    expect(!covered && bonds[0]?.end?.outcome === 'slashed', `${node.name} does not see that ${txid} is slashed`)
  }
}
