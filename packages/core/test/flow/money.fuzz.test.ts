import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../src/bytes.ts'
import { isExit } from '../../src/exit.ts'
import type { L1Transaction } from '../../src/l1.ts'
import type { SignedOperation } from '../../src/signed.ts'
import { isPaid } from '../../src/vault.ts'
import {
  challengeTransaction,
  changeOutput,
  depositTransaction,
  forcedTransaction,
  spend,
  transaction,
} from '../bitcoin.ts'
import { fundedRollup, pay, withdraw } from '../economy.ts'
import { Mempool } from '../mempool.ts'
import type { Rollup } from '../rollup.ts'
import { nextPayout, nextSweep } from '../watchers.ts'
import { CASES, FUZZ_TIMEOUT, params, payoutScript, quickKey } from '../world.ts'
import { type Draw, drawFrom } from './draw.ts'

/**
 * Deposits, sweeps, refunds, withdrawals, payouts and what is forced, on a Bitcoin that reorganises and mines what it
 * likes of all that was ever signed: at every block there is as much as is owed, and nobody is paid twice.
 */
const OWNERS = 5

class Walk {
  readonly rollup: Rollup
  private readonly draw: Draw
  private readonly mempool: Mempool
  /** Everything that was signed and may be mined once more. */
  private readonly sent: L1Transaction[] = []
  /** Scripts that withdrawals pay to, one each, by their hex. */
  private readonly destinations = new Map<string, SignedOperation & { kind: 'withdrawal' }>()
  private isWatched = true

  constructor(draw: Draw) {
    this.rollup = fundedRollup(OWNERS).rollup
    this.draw = draw
    this.mempool = new Mempool(this.rollup.bitcoin)
    // What funds the cells is final, and stays.
    this.rollup.mineUpTo(112)
  }

  block(): void {
    const { draw, rollup } = this
    if (draw(40) === 0) this.isWatched = !this.isWatched
    if (draw(10) === 0) this.reorganise()
    // The chain goes first: links follow one another, and what the sequencer builds stands on them.
    const links = this.linkSome()
    this.sent.push(
      ...this.someDeposit(),
      ...this.someForced(),
      ...this.refunds(),
      ...(this.isWatched ? this.signed() : []),
    )
    const mined = this.mempool.select([...links, ...this.sent.filter(() => draw(3) > 0).sort(() => draw(3) - 1)])
    rollup.mine(...mined)
    this.expectOrder()
  }

  private reorganise(): void {
    const { draw, rollup } = this
    const dropped = rollup.reorganise(Math.max(112, rollup.bitcoin.height - 1 - draw(4)))
    this.sent.push(...dropped.flatMap(({ transactions }) => transactions.slice(1)))
    this.expectOrder()
  }

  private linkSome(): L1Transaction[] {
    const { rollup, draw } = this
    if (rollup.chain.mode === 'closed' || draw(3) === 0) return []
    if (rollup.chain.mode === 'broken') return [rollup.resume()]
    const batch = rollup.build(...this.someOperations())
    // Somebody challenges its data, and nobody answers.
    if (draw(25) === 0) this.sent.push(challengeTransaction(batch.hash, 'data'))
    return [rollup.anchor(batch)]
  }

  private someOperations(): SignedOperation[] {
    const { draw, rollup } = this
    const owed = rollup.facts.allForcedAfter(rollup.ledger.totals.forcedCursor)
    if (owed.length > 0) return []
    const nonces = Array.from({ length: OWNERS }, (_, cell) => Number(rollup.ledger.tree.account(cell).nonce))
    return Array.from({ length: draw(4) }, () => {
      const from = draw(OWNERS)
      const nonce = nonces[from] as number
      nonces[from] = nonce + 1
      return draw(2) === 0 ? pay(from, (from + 1 + draw(OWNERS - 1)) % OWNERS, nonce) : this.withdrawal(from, nonce)
    })
  }

  private withdrawal(from: number, nonce: number): SignedOperation {
    const script = payoutScript(this.destinations.size & 255).with(3, this.destinations.size >> 8)
    const made = withdraw(from, nonce, {
      ...{ script, amount: 1_200n + BigInt(this.draw(500)), payoutFee: 100n + BigInt(this.draw(500)) },
    })
    this.destinations.set(toHex(script), made)
    return made
  }

  private someDeposit(): L1Transaction[] {
    const { draw } = this
    return draw(4) === 0 ? [depositTransaction(quickKey(draw(OWNERS)), 1_000n + BigInt(draw(20_000)))] : []
  }

  private someForced(): L1Transaction[] {
    const { draw, rollup } = this
    if (draw(6) > 0) return []
    const from = draw(OWNERS)
    const nonce = Number(rollup.ledger.tree.account(from).nonce) + draw(2)
    return [forcedTransaction(draw(2) === 0 ? pay(from, (from + 1) % OWNERS, nonce) : this.withdrawal(from, nonce))]
  }

  /** Of all deposits that are old enough, as Bitcoin asks for it. */
  private refunds(): L1Transaction[] {
    const { facts, bitcoin } = this.rollup
    const old = facts
      .unspentDeposits()
      .filter(({ position }) => bitcoin.height + 1 - position.height >= params.windows.refund)
    return old
      .filter(() => this.draw(4) === 0)
      .map(({ txid, position }) => transaction([spend({ txid, vout: position.index })], [changeOutput()]))
  }

  private signed(): L1Transaction[] {
    const feeRate = 200n + BigInt(this.draw(1_500))
    const made = [nextSweep(this.rollup, feeRate), nextPayout(this.rollup, feeRate)]
    return made.filter((one) => one !== undefined)
  }

  /** There is as much as is owed; what was paid was owed, and once. */
  expectOrder(): void {
    const { rollup } = this
    const { assets, liabilities } = rollup.balance
    const surplus = assets - liabilities - params.vault.value * 1000n
    expect(surplus >= 0n, `${-surplus} msat are missing`).toBe(true)
    const outputs = rollup.bitcoin.blocks.flatMap((one) => one.transactions.flatMap((made) => made.outputs))
    const paid = outputs.flatMap(({ script, value }) => {
      const taken = this.destinations.get(toHex(script))
      return taken === undefined ? [] : [{ script: toHex(script), value, taken }]
    })
    expect(new Set(paid.map(({ script }) => script)).size).toBe(paid.length)
    for (const { value, taken } of paid) {
      expect(value <= taken.amount && value >= taken.amount - taken.payoutFee).toBe(true)
    }
  }

  /** The sequencer is gone: the chain ends, and everybody gets out. */
  end(): void {
    const { rollup } = this
    this.isWatched = true
    while (!isExit(rollup.chain)) this.onward([])
    const accounts = Array.from({ length: OWNERS }, (_, cell) => rollup.ledger.tree.account(cell))
    const out = accounts.map(({ balance, nonce }, cell) => {
      const amount = balance / 1000n - 1n
      return forcedTransaction(
        withdraw(cell, Number(nonce), { amount, payoutFee: 10_000n, script: payoutScript(200 + cell).with(4, 1) }),
      )
    })
    this.onward(out)
    for (let at = 0; at < 12; at++) this.onward([])
    const { claims, chain } = rollup
    expect(claims.filter(({ claim }) => !isPaid(chain.vault.paid, claim.number))).toEqual([])
    // What is left inside is dust, and the deposits of others.
    for (let cell = 0; cell < OWNERS; cell++) expect(rollup.ledger.tree.account(cell).balance).toBeLessThan(2_000n)
  }

  happened(): string[] {
    const { events, facts } = this.rollup.derivation
    const kinds = events.map((event) => (event.kind === 'vault' ? event.outcome : event.kind))
    const wanted = ['exit', 'forced', 'payout', 'sweep', 'void'].filter((kind) => kinds.some((one) => one === kind))
    return facts.refundedDeposits().length > 0 ? [...wanted, 'refund'] : wanted
  }

  private onward(more: readonly L1Transaction[]): void {
    const { rollup } = this
    const due = [nextPayout(rollup, 200n)].filter((one) => one !== undefined)
    rollup.mine(...this.mempool.select([...more, ...due, ...this.refunds()]))
    this.expectOrder()
  }
}

test(
  'at every block there is as much as is owed, nobody is paid twice, and in the end everybody is out',
  () => {
    const happened = new Set<string>()
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0x7fffffff }), (seed) => {
        const walk = new Walk(drawFrom(seed))
        for (let at = 0; at < 120; at++) walk.block()
        walk.end()
        for (const what of walk.happened()) happened.add(what)
      }),
      { numRuns: Math.ceil(CASES / 1500) },
    )
    expect([...happened].sort()).toEqual(['exit', 'forced', 'payout', 'refund', 'sweep', 'void'])
  },
  FUZZ_TIMEOUT,
)
