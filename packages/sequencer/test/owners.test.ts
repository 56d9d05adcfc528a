import { callRpc } from '@kedge/bitcoin'
import { fromHex, toHex } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { waitFor } from '@kedge/regtest'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Onlooker } from './onlooker.ts'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const PAYERS = [20, 21]
/** How a deposit's message shows in a transaction: magic and kind. */
const DEPOSIT_TAG = '4b44474510'

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

/** Transactions of a block as they are, but for the deposits, which are the other way round and last. */
async function swappedAt(height: number): Promise<Uint8Array[]> {
  const { rpc } = workshop.bitcoind
  const hash = await callRpc(rpc, 'getblockhash', [height])
  const { tx } = (await callRpc(rpc, 'getblock', [hash, 2])) as { readonly tx: readonly { readonly hex: string }[] }
  const raws = tx.slice(1).map(({ hex }) => hex)
  const isDeposit = (hex: string) => hex.includes(DEPOSIT_TAG)
  return [...raws.filter((hex) => !isDeposit(hex)), ...raws.filter(isDeposit).reverse()].map(fromHex)
}

it('finds every account after a reorganisation in which two deposits change places', async () => {
  const { bitcoind } = workshop
  for (const seed of PAYERS) await workshop.deposit(keyOf(seed), 50_000n)
  await mine()
  const { height } = sequencer.node.follower.chain
  const swapped = await swappedAt(height)
  await mine(2)
  await followed()
  const before = cellsAt(onlooker.node)
  expect(before.map((cells) => cells.length)).toEqual([1, 1])
  const depth = sequencer.node.follower.chain.height - height + 1
  await bitcoind.reorg(depth, [swapped, ...Array.from({ length: depth }, () => [])])
  await mine(8)
  // Nobody has asked the onlooker for an owner since the cells were taken back.
  await followed()
  expect([sequencer.node, onlooker.node].map(cellsAt)).toEqual([before.toReversed(), before.toReversed()])
})
