import { Publisher, Purse } from '@kedge/commitment'
import { encodeCertifyAnswer } from '@kedge/core'
import {
  Answerer,
  accuse,
  ChallengeTurns,
  FALLBACK_FEE_RATE,
  type NodeOptions,
  type NodeParts,
  openNode,
  orClose,
  PassingIntake,
  proveRejection,
  type Role,
  type RunningNode,
  respondersOf,
  startNode,
} from '@kedge/node'
import { BondDesk, type BondRole, guardBond, Heard } from './bond-role.ts'
import { Certifier } from './certifier.ts'
import { VaultKeeper } from './vault-keeper.ts'
import { encodeAnswer } from './vault-message.ts'
import { VaultSigner } from './vault-signer.ts'

/** Of the time to answer a challenge, what a challenger leaves to the sequencer before it answers itself. */
const PATIENCE = 0.5

/**
 * For so long after its start a node that no peer is connected to challenges nothing: what it lacks it has asked nobody
 * for. After that it must, as whoever is cut off from all peers can't tell late data from hidden ones.
 */
const LONELY_MS = 10_000

export interface ChallengerOptions extends NodeOptions {
  readonly secrets: NodeOptions['secrets'] & {
    /** One of the keys that hold the vault: with it the challenger is a watcher. */
    readonly watcher?: Uint8Array
  }
}

/** Starts a challenger: a node that re-executes everything and puts on Bitcoin what is wrong or hidden. */
export async function startChallenger(options: ChallengerOptions): Promise<RunningNode> {
  // Peers may ask before everything is there.
  const late: Late = {}
  const desk = new BondDesk()
  const heard = new Heard(options.params)
  const { watcher: secret } = options.secrets
  const node = await openNode(options, {
    ownTail: () => [],
    mayServe: () => true,
    watchTick: heard.take,
    ...(secret && {
      answerWatcher: async (request) => answerOf(late.signer, request),
      answerCertify: (request) => late.certifier?.answer(request) ?? Promise.resolve(encodeCertifyAnswer('busy')),
      answerBond: desk.answer,
    }),
  })
  return orClose(node, async () => {
    const keeper = secret && keeperOf(node, secret, late)
    if (secret !== undefined) late.certifier = certifierOf(node, secret)
    if (secret !== undefined) await desk.open(node, secret)
    const intake = new PassingIntake(node, (receipt) => void node.seenTicks.note(receipt))
    const watcher = keeper && { watcher: () => keeper.status }
    const guard = await guardBond(node, desk, heard)
    const role = await challengerOf(node, keeper, guard)
    const handlers = respondersOf({ node, intake, role: 'challenger', upkeep: () => role.upkeep(), ...watcher })
    // A challenger accepts nothing that a stop would have to finish, and a watcher asks no more.
    const settle = async () => {
      await keeper?.close()
      await guard.close()
    }
    return startNode(node, role, handlers, settle)
  })
}

/** What peers may ask for before it is there. */
interface Late {
  signer?: VaultSigner
  certifier?: Certifier
}

function answerOf(signer: VaultSigner | undefined, request: Uint8Array): Uint8Array {
  return signer?.answer(request) ?? encodeAnswer({ kind: 'refused', reason: 'behind' })
}

function certifierOf({ options, network, data, follower }: NodeParts, secret: Uint8Array): Certifier {
  const { params, log } = options
  const numbers = () => ({ final: follower.chain.final.number, link: follower.chain.link.number })
  return new Certifier({ params, network, data, log, secret, numbers })
}

function keeperOf(node: NodeParts, secret: Uint8Array, late: Late): VaultKeeper {
  const fees = { cap: node.options.maxFeeRate, fallback: FALLBACK_FEE_RATE }
  const signer = new VaultSigner({ node, secret, cap: BigInt(1000 * fees.cap) })
  late.signer = signer
  return new VaultKeeper({ node, signer, secret, fees })
}

async function challengerOf(node: NodeParts, keeper: VaultKeeper | undefined, guard: BondRole): Promise<Role> {
  const { store, follower, executor, host, options } = node
  const { rpc, params, log, secrets, maxFeeRate } = options
  const purse = new Purse(secrets.coins)
  purse.setConfirmed(follower.coins, follower.chain.height)
  const fees = { cap: maxFeeRate, fallback: FALLBACK_FEE_RATE }
  const publisher = new Publisher({ store, rpc, params, purse, fees, log })
  await publisher.load()
  const answerer = new Answerer({ store, follower, publisher, patience: PATIENCE, mayServe: () => true })
  const turns = new ChallengeTurns(rpc, params, node.coins.script)
  const startedAt = performance.now()
  return {
    stepped: async (step) => {
      purse.setConfirmed(follower.coins, follower.chain.height)
      if (step.kind === 'rollback') await executor.rolledBack()
    },
    act: async (signal) => {
      // Before the ledger moves: that is when peers are asked.
      const mayChallenge = host.peers().length > 0 || performance.now() - startedAt > LONELY_MS
      await executor.advance(signal)
      if (mayChallenge) await accuse({ follower, executor, data: node.data, publisher, turns })
      else await proveRejection({ follower, executor, publisher })
      await answerer.act()
      await publisher.advance(follower.chain)
      keeper?.act()
      await guard.act(signal)
    },
    upkeep: () => {
      const spend = keeper?.waiting
      const waiting = [...publisher.waiting, ...(spend === undefined ? [] : [spend]), ...guard.waiting()]
      return { purse: purse.balance, cap: fees.cap, waiting, evidence: guard.evidence() }
    },
  }
}
