import { publicKeyOf } from '@kedge/bitcoin'
import { xOnlyKey } from '@kedge/bond'
import { AnchorKeeper, type AnchorOutcome, Publisher, Purse } from '@kedge/commitment'
import { type DataKind, equalBytes } from '@kedge/core'
import {
  Answerer,
  answerSubmit,
  FALLBACK_FEE_RATE,
  type NodeOptions,
  type NodeParts,
  openNode,
  orClose,
  proveRejection,
  type Responders,
  type Role,
  type RunningNode,
  respondersOf,
  startNode,
} from '@kedge/node'
import type { VerifierOptions } from '@kedge/signatures'
import { IN_AN_EMPTY_ONE } from '@kedge/storage'
import { Certifying } from './certify.ts'
import { findForeignAnchor } from './foreign.ts'
import { ignoring } from './ignoring.ts'
import { SequencerIntake } from './intake.ts'
import { OwnLinks } from './own-links.ts'
import { Producer } from './producer.ts'
import type { Tamper } from './seal.ts'
import { Slots } from './slots.ts'
import { Witnesses } from './witnesses.ts'

export interface SequencerOptions extends NodeOptions {
  readonly secrets: NodeOptions['secrets'] & {
    /** Spends the anchor chain's links. */
    readonly anchor: Uint8Array
    /** Signs ticks. */
    readonly slot: Uint8Array
  }
  /** A small file beside the slot secret, and not in the data folder: where the secret was used last. */
  readonly tally: string
  /** An open batch with operations is sealed after this; a full one at once. */
  readonly sealAfterMs: number
  /** After a start it signs also where no peer says that the data are the newest. */
  readonly signAlone?: boolean
  /** Only a lying sequencer of the test network has it. */
  readonly tamper?: Tamper
  /** Only the benchmark's row without signatures has it. */
  readonly verifier?: Pick<VerifierOptions, 'engine' | 'benchmarkOnly'>
}

/** Starts a sequencer. @throws WrongKeyError when a secret is not the network's. */
export async function startSequencer(options: SequencerOptions): Promise<RunningNode> {
  refuseWrongKeys(options)
  // Peers may ask before everything is there.
  const late: { producer?: Producer; handlers?: Responders } = {}
  const node = await openNode(options, {
    ownTail: () => late.producer?.plan().tail ?? [],
    mayServe: (headerHash, kind) => options.tamper?.mayServe(headerHash, kind, 'peers') ?? true,
    tellsTicks: true,
    takeTransfers: (bytes, _, peer) => answerSubmit(late.handlers, bytes, { address: peer }),
    ...(options.verifier && { verifier: options.verifier }),
  })
  return orClose(node, async () => {
    const { producer, slots, role, isSure } = await sequencerOf(node, options)
    late.producer = producer
    const honest = new SequencerIntake(node, producer)
    const intake = options.tamper === undefined ? honest : ignoring(honest, node, options.tamper)
    const openBatch = () => producer.openBatch?.batch
    const upkeep = () => role.upkeep()
    late.handlers = respondersOf({ node, intake, role: 'sequencer', upkeep, openBatch, isSure })
    return startNode(node, role, late.handlers, () => producer.close().finally(() => slots.close()))
  })
}

async function sequencerOf(
  node: NodeParts,
  { tamper, ...options }: SequencerOptions,
): Promise<{ producer: Producer; slots: Slots; role: Role; isSure: () => boolean }> {
  const { store, follower, executor } = node
  const { rpc, params, log, secrets, maxFeeRate, sealAfterMs, tally } = options
  const purse = new Purse(secrets.coins)
  purse.setConfirmed(follower.coins, follower.chain.height)
  const fees = { cap: maxFeeRate, fallback: FALLBACK_FEE_RATE }
  const keeper = new AnchorKeeper({ store, rpc, params, secret: secrets.anchor, purse, fees, log })
  const publisher = new Publisher({ store, rpc, params, purse, fees, log })
  await keeper.load()
  await publisher.load()
  const own = await OwnLinks.load(store)
  const slots = await Slots.open(store, tally, { key: xOnlyKey(secrets.slot), network: node.network, params })
  const certifying = params.data?.kind === 'certified' ? new Certifying({ node, anchor: secrets.anchor }) : undefined
  const extras = { ...(certifying && { certifying }), ...(tamper && { tamper }) }
  const producer = new Producer({ node, own, keeper, slots, sealAfterMs, ...extras })
  const witnesses = new Witnesses({ node, params, own, slots, signAlone: options.signAlone ?? false })
  const mayServe = (headerHash: Uint8Array, kind: DataKind) => tamper?.mayServe(headerHash, kind, 'bitcoin') ?? true
  const answerer = new Answerer({ store, follower, publisher, patience: 0, mayServe })
  const role: Role = {
    stepped: async (step) => {
      purse.setConfirmed(follower.coins, follower.chain.height)
      if (step.kind === 'rollback') await producer.rolledBack()
    },
    act: async (signal) => {
      const foreign = await findForeignAnchor({ store, rpc, own }, follower.chain)
      if (foreign !== undefined) throw new ForeignAnchorError(foreign)
      // What is signed already goes to Bitcoin meanwhile.
      if (await witnesses.haveNothingNewer(signal)) await producer.reconcile(signal)
      else await producer.follow(signal)
      await answerer.act()
      if (tamper === undefined) await proveRejection({ follower, executor, publisher })
      refuseConflict(await keeper.advance(follower.chain))
      await publisher.advance(follower.chain)
    },
    upkeep: () => {
      const { status } = keeper
      const waiting = [...(status.waiting === undefined ? [] : [status.waiting]), ...publisher.waiting]
      const anchors = { ...status, backlog: keeper.backlog(follower.chain) }
      return { purse: purse.balance, cap: fees.cap, waiting, anchors }
    },
  }
  // Where the chain has ended nothing will be signed.
  const isSure = () => witnesses.areHeard || follower.chain.mode === 'closed'
  return { producer, slots, role, isSure }
}

function refuseConflict(outcome: AnchorOutcome): void {
  if (outcome.kind === 'conflict') throw new ForeignAnchorError(outcome.number)
}

function refuseWrongKeys({ params, secrets }: SequencerOptions): void {
  const pairs = [
    ['anchor', secrets.anchor, params.keys.anchor],
    ['slot', secrets.slot, params.keys.slot],
  ] as const
  for (const [name, secret, key] of pairs) {
    if (!equalBytes(publicKeyOf(secret), key)) throw new WrongKeyError(name)
  }
}

/** A secret that does not belong to the network's parameters. */
export class WrongKeyError extends Error {
  override readonly name = 'WrongKeyError'

  constructor(key: string) {
    super(`the ${key} secret is not the one behind the network's ${key} key: check the keys file and the parameters`)
  }
}

/** Bitcoin holds another anchor than ours under a number that this sequencer is bound to. */
export class ForeignAnchorError extends Error {
  override readonly name = 'ForeignAnchorError'

  constructor(number: number) {
    super(
      `anchor ${number} on Bitcoin is not the one this sequencer made: another process signs with the anchor key, or this ` +
        'data folder is an old copy. Stop the other one; with an old copy, restore the newest folder, and only where that is ' +
        `lost, start with an empty one: ${IN_AN_EMPTY_ONE}`,
    )
  }
}
