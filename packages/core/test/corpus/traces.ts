import type { Chain } from '../../src/chain.ts'
import type { Deposit } from '../../src/deposit.ts'
import { encodeEvidence } from '../../src/evidence.ts'
import type { L1Facts } from '../../src/facts.ts'
import type { L1Block, L1Output, L1Transaction } from '../../src/l1.ts'
import { batchAnchor, type DataKind, resumeAnchor } from '../../src/message.ts'
import { encodeParts, encodeWhole } from '../../src/publication.ts'
import {
  challengeTransaction,
  changeOutput,
  coin,
  depositTag,
  depositTransaction,
  evidenceTransaction,
  forcedTransaction,
  linkOutput,
  partTransaction,
  resetCoins,
  spend,
  tagOutput,
  transaction,
  vaultOutput,
} from '../bitcoin.ts'
import { factsWith, headerEvidence, proveAgainst } from '../challenger.ts'
import { pay as payAny, payNew as payNewAny, realOwners, withdraw, withRoot } from '../economy.ts'
import { type Batch, execute, Rollup } from '../rollup.ts'
import { say } from '../trace.ts'
import { bytes32, params } from '../world.ts'
import { type Json, toJson } from './json.ts'
import { stateToJson } from './operations.ts'

const pay = (from: number, to: number, nonce: number) => payAny(from, to, nonce, {}, realOwners)
const payNew = (from: number, to: number, nonce: number) => payNewAny(from, to, nonce, realOwners)

const START = { height: 0, tx: 0, index: 0 }

/** A story on a rollup of its own, told block by block. */
class Story {
  readonly rollup: Rollup
  private readonly blocks: Json[] = []

  constructor() {
    resetCoins()
    this.rollup = new Rollup(realOwners.isSigned)
  }

  /** Mines a block: `told` says what it holds. */
  mine(told: string, ...transactions: readonly L1Transaction[]): void {
    const events = this.rollup.mine(...transactions)
    const block = this.rollup.bitcoin.block(this.rollup.bitcoin.height)
    this.blocks.push({ told, ...blockToJson(block), events: events.map(say), chain: describeChain(this.rollup.chain) })
  }

  empty(count: number): void {
    for (let at = 0; at < count; at++) this.mine('nothing')
  }

  /** Up to and with `height`. */
  emptyUpTo(height: number): void {
    this.empty(height - this.rollup.bitcoin.height)
  }

  /** A rollup with two funded cells, its first batch anchored at 104 as number 2. */
  begin(): Batch {
    this.empty(1)
    this.mine('a resume', this.rollup.resume())
    const deposits = [0, 1].map((owner) => depositTransaction(realOwners.key(owner), 100_000n))
    this.mine('two deposits and their sweep', ...this.rollup.swept(...deposits))
    const batch = this.rollup.build()
    this.mine('batch 2 credits them', this.rollup.anchor(batch))
    return batch
  }

  end(about: string): Json {
    return { about, blocks: this.blocks, chain: toJson(this.rollup.chain) }
  }
}

export function blockToJson({ height, hash, parent, transactions }: L1Block): Record<string, Json> {
  const list = transactions.map(({ txid, inputs, outputs }) => ({
    txid: toJson(txid),
    inputs: inputs.map(({ previous, witness }) => ({
      txid: toJson(previous.txid),
      vout: previous.vout,
      witness: toJson(witness),
    })),
    outputs: outputs.map(({ value, script }) => ({ value: String(value), script: toJson(script) })),
  }))
  return { height, hash: toJson(hash), parent: toJson(parent), transactions: list }
}

/** The chain in a line: mode, last link, last final number, live numbers (with what is challenged). */
export function describeChain({ mode, link, final, line }: Chain): string {
  const live = line.map(({ number, challenges }) => {
    const open = Object.entries(challenges).map(
      ([kind, { answeredAt }]) => `${kind} ${answeredAt === undefined ? 'open' : 'answered'}`,
    )
    return open.length === 0 ? `${number}` : `${number} (${open.join(', ')})`
  })
  return `${mode}; link ${link.number}; final ${final.number}; live ${live.length === 0 ? 'none' : live.join(' ')}`
}

const challenge = (batch: Batch, data: DataKind) => challengeTransaction(batch.hash, data)
const answer = (batch: Batch, data: DataKind) => partTransaction(batch.hash, data, encodeWhole(data, batch))

function links(): Json {
  const story = new Story()
  const { rollup } = story
  story.empty(1)
  story.mine('a batch before any resume: null', rollup.anchor(rollup.build()))
  story.mine('a resume', rollup.resume())
  const [one, two] = [rollup.build(), rollup.build()]
  story.mine('two batches in one block', rollup.anchor(one), rollup.anchor(two))
  const three = rollup.build()
  const wrong = { ...batchAnchor(three.header, three.hash), mark: new Uint8Array(7) }
  story.mine('a batch of no origin: null', rollup.link(wrong))
  story.mine('a batch whose header is anchored already: null', rollup.anchor(two))
  const stale = { kind: 'resume', headerHash: one.hash, word: bytes32(0) } as const
  story.mine('a resume from another header than the head: null', rollup.link(stale))
  story.mine('a resume from the head, while all is well', rollup.resume())
  story.mine('a batch on it', rollup.anchor(rollup.build()))
  const last = transaction([coin(), spend(rollup.chain.link.outpoint)], [tagOutput(wrong), linkOutput()])
  story.mine('the link spent as the second input: closed', last)
  story.empty(6)
  return story.end('links: batches, resumes, null links, two in one block, and the end of the chain')
}

function evidence(): Json {
  const story = new Story()
  const { rollup } = story
  const second = story.begin()
  const honest = rollup.build(pay(0, 1, 0), payNew(1, 2, 0))
  const lie = rollup.lie({}, { stepRoots: withRoot(honest.stepRoots, 1, bytes32(0xee)) })
  const proof = encodeEvidence(proveAgainst(rollup, lie) as never)
  story.mine('batch 3 lies about its second step', rollup.anchor(lie))
  const child = rollup.build()
  story.mine(
    'batch 4 on top of it; evidence against 3 that does not decode',
    rollup.anchor(child),
    evidenceTransaction(lie.hash, proof.slice(1)),
  )
  story.mine(
    'the evidence against batch 3, twice; then another batch',
    evidenceTransaction(lie.hash, proof),
    evidenceTransaction(lie.hash, proof),
    rollup.anchor(rollup.build()),
  )
  story.mine('a resume from batch 2', rollup.resume())
  const again = rollup.build(pay(0, 1, 0), payNew(1, 2, 0))
  story.mine('the same payments in batch 7', rollup.anchor(again))
  story.emptyUpTo(114)
  story.mine(
    'a header claim against batch 7 in block f: it is in order',
    evidenceTransaction(again.hash, encodeEvidence(headerEvidence(again, second))),
  )
  return story.end(
    'a lie, evidence for it, the void of its batch and of the one on top, a resume, the payments once more',
  )
}

function unanswered(): Json {
  const story = new Story()
  const { rollup } = story
  story.begin()
  const withheld = rollup.build(pay(0, 1, 0))
  story.mine('batch 3, its data withheld', rollup.anchor(withheld))
  story.mine(
    'a challenge that burns too little, one without the signal output',
    challengeTransaction(withheld.hash, 'data', 9_999n),
    silent(challenge(withheld, 'data')),
  )
  story.mine(
    'a challenge in the last block that counts, and another',
    challenge(withheld, 'data'),
    challenge(withheld, 'data'),
  )
  story.mine('batch 4 on top of it', rollup.anchor(rollup.build()))
  story.emptyUpTo(111)
  const { headerHash } = rollup.chain.final
  story.mine(
    'the answer, a block too late; a resume',
    answer(withheld, 'data'),
    rollup.link({ kind: 'resume', headerHash, word: bytes32(0) }),
  )
  return story.end('withheld data: a challenge, no answer, void in the block behind the deadline')
}

const silent = ({ inputs, outputs }: L1Transaction): L1Transaction => transaction(inputs, outputs.slice(0, 1))

function answered(): Json {
  const story = new Story()
  const { rollup } = story
  story.begin()
  const batch = rollup.build(pay(0, 1, 0), pay(0, 1, 1), pay(1, 0, 0), pay(1, 0, 1), pay(0, 1, 2))
  story.mine('batch 3 and a challenge of its data', rollup.anchor(batch), challenge(batch, 'data'))
  const child = rollup.build()
  const [first, second, third] = encodeParts('data', batch, 2) as [Uint8Array, Uint8Array, Uint8Array]
  const part = (bytes: Uint8Array) => partTransaction(batch.hash, 'data', bytes)
  story.mine(
    'batch 4; garbage, the last part, the last part again',
    rollup.anchor(child),
    part(first.slice(1)),
    part(third),
    part(third),
  )
  story.mine('the first part', part(first))
  story.emptyUpTo(108)
  story.mine('the second part, in the block of the deadline', part(second))
  story.empty(1)
  story.mine(
    'a challenge of the steps, in the last block that counts; of the child’s too',
    challenge(batch, 'steps'),
    challenge(child, 'steps'),
  )
  story.mine(
    'both answers, the first in two parts',
    ...encodeParts('steps', batch, 3).map((bytes) => partTransaction(batch.hash, 'steps', bytes)),
    answer(child, 'steps'),
  )
  story.emptyUpTo(114)
  story.mine('nothing; batches 3 and 4 become final')
  return story.end('challenges of data, then of steps, answered in parts; the windows and finality that follow')
}

function deposits(): Json {
  const story = new Story()
  const { rollup } = story
  story.empty(1)
  story.mine('a resume', rollup.resume())
  const key = realOwners.key(0)
  const tag = depositTag(key)
  const plain = depositTransaction(key, 5_000n, 999n, 6_000n)
  story.mine(
    'two deposits in one transaction and an output below the minimum; one with two tags; one without',
    plain,
    transaction([coin()], [...plain.outputs, tag]),
    transaction([coin()], plain.outputs.slice(0, 1)),
  )
  const third = depositTransaction(key, 7_000n)
  story.mine('a third deposit', third)
  const refund = transaction([spend({ txid: third.txid, vout: 0 })], [changeOutput()])
  story.mine('its refund; the sweep of the two', refund, rollup.sweep(plain))
  story.mine('a fourth, not swept', depositTransaction(key, 8_000n))
  story.mine('batch 2 credits the two', rollup.anchor(rollup.build()))
  return {
    ...(story.end('what is a deposit, and what becomes of it') as Record<string, Json>),
    deposits: describeDeposits(rollup.facts),
  }
}

function vault(): Json {
  const story = new Story()
  const { rollup } = story
  story.begin()
  const tag = (...claims: number[]) => tagOutput({ kind: 'payout', headerHash: bytes32(0), claims })
  const payment = changeOutput()
  const elsewhere = tagOutput({ kind: 'payout', headerHash: bytes32(7), claims: [0] })
  story.mine('a header that is not of this chain: it pays nothing', rollup.spendVault([], 160_000n, elsewhere, payment))
  story.mine(
    'a payout of claims 0 and 2; one on top of it that names them again beside 1 and 310',
    rollup.spendVault([], 150_000n, tag(0, 2), payment, payment),
    rollup.spendVault([], 120_000n, tag(0, 1, 2, 310), payment, payment, payment, payment),
  )
  story.mine('an output short of its tag: it pays nothing', rollup.spendVault([], 110_000n, tag(3, 4), payment))
  const deposit = depositTransaction(realOwners.key(0), 5_000n)
  story.mine('a deposit, swept by a payout of claim 3', deposit, vaultPayingAndSweeping(rollup, deposit, tag(3)))
  const { head } = rollup.chain.vault
  story.mine(
    'the head as the second input: it pays nothing',
    transaction([coin(), spend(head)], [vaultOutput(100_000n), tag(4), payment]),
  )
  const last = depositTransaction(realOwners.key(0), 6_000n)
  const end = [spend(rollup.chain.vault.head), spend({ txid: last.txid, vout: 0 })]
  story.mine('a deposit; the vault ends together with it', last, transaction(end, [payment, vaultOutput(90_000n)]))
  story.empty(1)
  return {
    ...(story.end('spends of the vault’s head, and what each of them means') as Record<string, Json>),
    deposits: describeDeposits(rollup.facts),
  }
}

function forced(): Json {
  const story = new Story()
  const { rollup } = story
  story.begin()
  const [payment, withdrawal] = [pay(0, 1, 0), withdraw(1, 0, { amount: 20_000n }, realOwners)]
  const newcomers = [payNew(0, 6, 1), { ...payNew(0, 7, 2), toCell: 0 }]
  const silent = { ...forcedTransaction(payment) }
  story.mine(
    'a transfer, a withdrawal, the transfer again and two to new cells are forced; once more without paying the signal script',
    ...[payment, withdrawal, payment, ...newcomers].map(forcedTransaction),
    transaction(silent.inputs, silent.outputs.slice(0, 1)),
  )
  story.empty(params.windows.forced)
  const censored = rollup.put(
    execute({ ...rollup.context, facts: factsWith(rollup, rollup.facts.allSweptAfter(START)) }, rollup.ledger, []),
  )
  const proof = encodeEvidence(proveAgainst(rollup, censored) as never)
  story.mine('batch 3 leaves them out', rollup.anchor(censored))
  story.mine('the evidence', evidenceTransaction(censored.hash, proof))
  story.mine('a resume', rollup.resume())
  const batch = rollup.build()
  story.mine('batch 5 carries all five; the third is used up, the last two make cells', rollup.anchor(batch))
  return { ...(story.end('what is forced, and what becomes of it') as object), ...ledgerToJson(rollup) }
}

function exit(): Json {
  const story = new Story()
  const { rollup } = story
  story.begin()
  const late = depositTransaction(realOwners.key(2), 5_000n)
  story.mine('a third deposit and its sweep', ...rollup.swept(late))
  const out = withdraw(0, 0, { amount: 99_000n }, realOwners)
  story.mine('a forced withdrawal', forcedTransaction(out))
  story.emptyUpTo(163)
  story.mine('E blocks behind batch 2 the chain ends: deposit and withdrawal apply')
  story.mine(
    'another forced withdrawal, a transfer, and one to a new cell',
    ...[withdraw(1, 0, {}, realOwners), pay(2, 1, 0), payNew(2, 6, 1)].map(forcedTransaction),
  )
  story.mine('an anchor: it counts no more', rollup.link(resumeAnchor(rollup.chain.final.headerHash, bytes32(1))))
  return { ...(story.end('the chain ends for want of a live batch; the exit') as object), ...ledgerToJson(rollup) }
}

/** Where the ledger stands in the end. */
function ledgerToJson({ ledger, claims }: Rollup): Record<string, Json> {
  const accounts = Array.from({ length: ledger.tree.count }, (_, cell) => ledger.tree.account(cell))
  const owed = claims.map(({ claim, payableAt }) => ({ claim, payableAt }))
  return { ledger: stateToJson({ accounts, totals: ledger.totals }), claims: toJson(owed) }
}

function vaultPayingAndSweeping(rollup: Rollup, { txid }: L1Transaction, tag: L1Output): L1Transaction {
  return rollup.spendVault([spend({ txid, vout: 0 })], 110_000n, tag, changeOutput())
}

/** Deposits that were swept, in that order, and those that nothing has spent. */
export function describeDeposits(facts: L1Facts): Json {
  const depositToJson = ({ position, ...rest }: Deposit) => toJson({ ...position, ...rest })
  return {
    swept: facts.allSweptAfter(START).map(({ position, deposit }) => ({
      sweep: toJson(position),
      deposit: depositToJson(deposit),
    })),
    unspent: facts.unspentDeposits().map(depositToJson),
  }
}

export const traces: Record<string, () => Json> = {
  links,
  evidence,
  unanswered,
  answered,
  deposits,
  vault,
  forced,
  exit,
}
