import { callRpc } from '@kedge/bitcoin'
import { fromHex, toHex } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { waitFor } from '@kedge/regtest'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Onlooker } from './onlooker.ts'
import { keyOf, type MadeDeposit, type Sequencer, Workshop } from './workshop.ts'

const PAYERS = [20, 21]

let workshop: Workshop
let sequencer: Sequencer
let onlooker: Onlooker

beforeAll(async () => {
  workshop = await Workshop.start()
  sequencer = await workshop.open()
  await sequencer.turn()
  await mine()
  onlooker = await Onlooker.open(workshop, sequencer, 'onlooker')
})

afterAll(async () => {
  await onlooker.close()
  await sequencer.crash()
  await workshop.stop()
})

async function mine(blocks = 1): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    await sequencer.turn()
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
}

/** The onlooker follows until it stands where the sequencer does. */
function followed(): Promise<boolean> {
  return waitFor({ until: 'the onlooker has caught up' }, async (note) => {
    await onlooker.turn()
    const [seen, own] = [onlooker.node.executor, sequencer.node.executor].map(({ ledger }) => toHex(ledger.root))
    note(`its root is ${seen}, the sequencer’s ${own}`)
    return (onlooker.node.executor.isCaughtUp && seen === own) || undefined
  })
}

/** As the API finds accounts. */
const cellsAt = ({ executor }: NodeParts) => PAYERS.map((seed) => executor.owners.findAll(keyOf(seed)))

/** A block's transactions as they are, but for some. */
async function othersAt(height: number, without: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const { rpc } = workshop.bitcoind
  const hash = await callRpc(rpc, 'getblockhash', [height])
  const { tx } = (await callRpc(rpc, 'getblock', [hash, 2])) as { readonly tx: readonly { readonly hex: string }[] }
  const left = new Set(without.map(toHex))
  return tx
    .slice(1)
    .filter(({ hex }) => !left.has(hex))
    .map(({ hex }) => fromHex(hex))
}

it('finds every account after a reorganisation in which two deposits are swept the other way round', async () => {
  const { bitcoind, vault } = workshop
  const deposits: MadeDeposit[] = []
  for (const seed of PAYERS) deposits.push(await workshop.deposit(keyOf(seed), 50_000n))
  await mine()
  const { height } = sequencer.node.follower.chain
  const others = await othersAt(
    height,
    deposits.map(({ sweep }) => sweep),
  )
  await mine(2)
  await followed()
  const before = cellsAt(onlooker.node)
  expect(before.map((cells) => cells.length)).toEqual([1, 1])
  const depth = sequencer.node.follower.chain.height - height + 1
  workshop.vault = vault
  const sweeps = deposits.toReversed().map((deposit) => workshop.buildSweep(deposit))
  await bitcoind.reorg(depth, [[...others, ...sweeps], ...Array.from({ length: depth }, () => [])])
  await mine(8)
  // Nobody has asked the onlooker for an owner since the cells were taken back.
  await followed()
  expect([sequencer.node, onlooker.node].map(cellsAt)).toEqual([before.toReversed(), before.toReversed()])
})
