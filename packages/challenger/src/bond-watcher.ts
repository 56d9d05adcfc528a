import {
  type BondRecord,
  bondRulesOf,
  type CosignerState,
  decodeFraudRequest,
  decodeRecord,
  encodeFraudAnswer,
  encodeRecord,
  type FraudRequest,
  leavesReward,
  readLeaderMessage,
  setupId,
  signCosignerMessage,
  signFraud,
  stepCosigner,
  type XOnlyKey,
  xOnlyKey,
} from '@kedge/bond'
import { type Bond, networkId, type Params } from '@kedge/core'
import { bonds, DamagedError, type Store, type Write } from '@kedge/storage'
import { findInnocence, type Witnessed } from './innocence.ts'
import { findSlashableBond, planSlash } from './slash.ts'

/** Of a node, what a watcher judges by. */
export interface WatchedNode extends Witnessed {
  readonly store: Store
  /** 32 bytes that never come again. */
  readonly random: () => Uint8Array
}

/**
 * A watcher's part in the sequencer's bond: it co-signs both ways out before the bond is funded, and later, when it is
 * asked and its own state says so, that the sequencer lied. One message after another: each rests on what is written.
 */
export class BondWatcher {
  private readonly params: Params
  private readonly node: WatchedNode
  private readonly key: XOnlyKey
  private state: CosignerState
  private turn: Promise<unknown> = Promise.resolve()

  private constructor(params: Params, node: WatchedNode, key: XOnlyKey, records: readonly BondRecord[]) {
    this.params = params
    this.node = node
    this.key = key
    this.state = { records, round: undefined }
  }

  /** With all that it agreed to before. @param secret the watcher's */
  static async load(params: Params, node: WatchedNode, secret: Uint8Array): Promise<BondWatcher> {
    return new BondWatcher(params, node, xOnlyKey(secret), await readRecords(node.store))
  }

  /** What is said to a message about the bond; undefined for one that is none, or not from whom it must be. */
  answer(message: Uint8Array): Promise<Uint8Array | undefined> {
    const work = () => this.answerNow(message)
    const answered = this.turn.then(work, work)
    this.turn = answered
    return answered
  }

  private answerNow(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.params.bond === undefined) return Promise.resolve(undefined)
    const request = decodeFraudRequest(bytes)
    return request === undefined ? this.cosign(bytes) : Promise.resolve(encodeFraudAnswer(this.judge(request)))
  }

  /** Order of effects: what it agreed to is on disk before it says so. */
  private async cosign(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const rules = bondRulesOf(this.params)
    const message = readLeaderMessage(rules.keys.sequencer, rules.network, bytes)
    if (message === undefined) return undefined
    if (message.kind === 'open' && this.node.chain().bonds.some(isLost)) {
      const detail = 'a bond of this network was lost: its sequencer gets no other'
      return this.sign({ kind: 'refusal', session: message.session, reason: 'terms', detail })
    }
    const { state, effects } = stepCosigner({ key: this.key, rules }, this.state, message, this.node.random())
    let reply: Uint8Array | undefined
    for (const effect of effects) {
      if (effect.do === 'persist') await this.node.store.commit([putRecord(effect.record)])
      else reply = this.sign(effect.message)
    }
    this.state = state
    return reply
  }

  private sign(message: Parameters<typeof signCosignerMessage>[2]): Uint8Array {
    return signCosignerMessage(this.key, networkId(this.params), message)
  }

  /** By what this node derived itself, and by nothing that the request says beside where to look. */
  private judge(request: FraudRequest): Parameters<typeof encodeFraudAnswer>[0] {
    const watcher = this.key.publicKey
    const bond = findSlashableBond(this.node.chain(), request.bond)
    if (bond === undefined) return { ok: false, watcher, reason: 'no bond that counts and has not ended is there' }
    const reason = findInnocence(this.params, this.node, bond, request.claim)
    if (reason !== undefined) return { ok: false, watcher, reason }
    const plan = planSlash(this.params, bond, request.reward)
    if (!leavesReward(plan)) return { ok: false, watcher, reason: 'the fee leaves no reward' }
    return { ok: true, ...signFraud(plan, this.key.secret) }
  }
}

/** From there on the slot key may be everybody's. */
function isLost({ end }: Bond): boolean {
  return end?.outcome === 'slashed' || end?.outcome === 'frozen'
}

function putRecord(record: BondRecord): Write {
  return bonds.put(setupId(record.terms), { record: encodeRecord(record) })
}

/** @throws DamagedError */
async function readRecords(store: Store): Promise<BondRecord[]> {
  const records: BondRecord[] = []
  for await (const [, { record }] of store.range(bonds)) {
    const known = decodeRecord(record)
    if (known === undefined) throw new DamagedError("a record of a bond can't be read")
    records.push(known)
  }
  return records
}
