import { Publisher, Purse } from '@kedge/commitment'
import {
  Answerer,
  accuse,
  FALLBACK_FEE_RATE,
  type NodeOptions,
  openNode,
  passOn,
  type Role,
  type RunningNode,
  respondersOf,
  startNode,
} from '@kedge/node'

/** Of the time to answer a challenge, what a challenger leaves to the sequencer before it answers itself. */
const PATIENCE = 0.5

/** Starts a challenger: a node that re-executes everything and puts on Bitcoin what is wrong or hidden. */
export async function startChallenger(options: NodeOptions): Promise<RunningNode> {
  const node = await openNode(options, { ownTail: () => [], mayServe: () => true })
  const { store, follower, executor } = node
  const { rpc, params, log, secrets, maxFeeRate } = options
  const purse = new Purse(secrets.coins)
  purse.setConfirmed(follower.coins, follower.chain.height)
  const publisher = new Publisher({
    store,
    rpc,
    params,
    purse,
    fees: { cap: maxFeeRate, fallback: FALLBACK_FEE_RATE },
    log,
  })
  await publisher.load()
  const answerer = new Answerer({ store, follower, publisher, patience: PATIENCE, mayServe: () => true })
  const role: Role = {
    stepped: async (step) => {
      purse.setConfirmed(follower.coins, follower.chain.height)
      if (step.kind === 'rollback') await executor.rolledBack()
    },
    act: async (signal) => {
      await executor.advance(signal)
      await accuse({ follower, executor, publisher })
      await answerer.act()
      await publisher.advance(follower.chain)
    },
  }
  const handlers = respondersOf({ node, intake: passOn(node.host, node.network), role: 'challenger' })
  return startNode(node, role, handlers, async () => undefined)
}
