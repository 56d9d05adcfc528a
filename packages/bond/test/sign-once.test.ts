import { toHex } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { xOnlyKey } from '../src/key.ts'
import {
  claimSlot,
  decodeLine,
  encodeLine,
  FRESH_LINE,
  findStaleness,
  type SlotLine,
  SlotTakenError,
  StaleLineError,
} from '../src/sign-once.ts'
import { extractSlotSecret, type SignedMessage, signSlot } from '../src/slot-signature.ts'
import { slotTable, tickPoints } from '../src/slot-table.ts'
import { of } from './ground.ts'

const KEY = xOnlyKey(of(7))
const ID = { network: of(1), number: 9, salt: of(3) }
const SLOTS = 6
const TABLE = slotTable(KEY, ID, tickPoints(KEY, ID, 0, SLOTS))

describe('a slot', () => {
  test('takes one message, again and again, and no other', () => {
    const first = claimSlot(FRESH_LINE, 0, of(1))
    if (!first.ok) throw first.error
    expect(first).toEqual({ ok: true, line: { next: 1, last: of(1) }, write: true })
    expect(claimSlot(first.line, 0, of(1))).toEqual({ ok: true, line: first.line, write: false })
    const second = claimSlot(first.line, 0, of(2))
    expect(second).toMatchObject({ ok: false, error: { reason: 'taken' } })
    if (second.ok) throw new Error('a second message')
    expect(second.error).toBeInstanceOf(SlotTakenError)
    expect(second.error.message).toMatch(/slot 0 was used for another message.*use the next slot, or resume/)
  })

  test('before the last is closed, also one that was left out', () => {
    const claim = claimSlot(FRESH_LINE, 4, of(1))
    if (!claim.ok) throw claim.error
    for (const index of [0, 3])
      expect(claimSlot(claim.line, index, of(1))).toMatchObject({ ok: false, error: { reason: 'passed' } })
    expect(claimSlot(claim.line, 5, of(1)).ok).toBe(true)
  })
})

describe('a store', () => {
  const line: SlotLine = { next: 3, last: of(2) }

  test('that others are ahead of, or differ from, is stale', () => {
    expect(findStaleness(line, 2, of(2))).toBeUndefined()
    expect(findStaleness(line, 1, of(9))).toBeUndefined()
    expect(findStaleness(FRESH_LINE, 0, of(1))?.reason).toBe('behind')
    expect(findStaleness(line, 3, of(2))).toMatchObject({ reason: 'behind', message: expect.stringMatching(/resume/) })
    expect(findStaleness(line, 2, of(3))).toBeInstanceOf(StaleLineError)
    expect(findStaleness(line, 2, of(3))?.reason).toBe('twin')
  })

  test('gives back what was written, and nothing for other bytes', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (next, last) => {
        expect(decodeLine(encodeLine({ next, last }))).toEqual({ next, last })
      }),
    )
    for (const size of [0, 35, 37]) expect(decodeLine(new Uint8Array(size))).toBeUndefined()
  })
})

/** What a signer does for one message, in the order of its effects; it may be killed before each. */
type Step = 'claim' | 'write' | 'sign' | 'send'
const RIGHT: readonly Step[] = ['claim', 'write', 'sign', 'send']

/** A machine whose disk keeps what was written and synced, and whose signatures somebody sees as soon as they exist. */
class Machine {
  private disk: Uint8Array | undefined
  private memory: SlotLine = FRESH_LINE
  readonly seen = new Map<number, SignedMessage[]>()
  private readonly order: readonly Step[]

  constructor(order: readonly Step[]) {
    this.order = order
  }

  /** @param killedBefore a step's place; behind the last: not killed */
  attempt(index: number, message: Uint8Array, killedBefore: number): void {
    let claimed: SlotLine | undefined
    for (const [at, step] of this.order.entries()) {
      if (at === killedBefore) {
        this.restart()
        return
      }
      if (step === 'claim') {
        const claim = claimSlot(this.memory, index, message)
        if (!claim.ok) return
        claimed = claim.line
      }
      if (step === 'write' && claimed !== undefined) {
        this.disk = encodeLine(claimed)
        this.memory = claimed
      }
      if (step === 'sign') this.show(index, { message, signature: signSlot(KEY, TABLE, index, message) })
    }
  }

  private restart(): void {
    const line = this.disk === undefined ? FRESH_LINE : decodeLine(this.disk)
    if (line === undefined) throw new Error('a damaged record')
    this.memory = line
  }

  private show(index: number, signed: SignedMessage): void {
    this.seen.set(index, [...(this.seen.get(index) ?? []), signed])
  }

  /** Whether what was seen gives the key to anybody. */
  isRevealed(): boolean {
    return [...this.seen.values()].some((all) =>
      all.some((one) => all.some((other) => extractSlotSecret(KEY.publicKey, one, other) !== undefined)),
    )
  }
}

describe('killed before any step, and started again', () => {
  const attempts = fc.array(
    fc.record({ index: fc.nat(SLOTS - 1), message: fc.integer({ min: 1, max: 3 }).map(of), killedBefore: fc.nat(6) }),
    { minLength: 1, maxLength: 15 },
  )

  test('a signer signs one message a slot, and the same bytes again', () => {
    fc.assert(
      fc.property(attempts, (all) => {
        const machine = new Machine(RIGHT)
        for (const { index, message, killedBefore } of all) machine.attempt(index, message, killedBefore)
        for (const signed of machine.seen.values())
          expect(new Set(signed.map(({ signature }) => toHex(signature))).size).toBe(1)
        expect(machine.isRevealed()).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  test.each(RIGHT.map((step, at) => [step, at] as const))('before %s: what was asked is still possible', (_, at) => {
    const machine = new Machine(RIGHT)
    machine.attempt(0, of(1), at)
    machine.attempt(0, of(1), RIGHT.length)
    expect(machine.seen.has(0)).toBe(true)
    // Another message, too, where nothing was written.
    const other = new Machine(RIGHT)
    other.attempt(0, of(1), at)
    other.attempt(0, of(2), RIGHT.length)
    expect(other.seen.has(0)).toBe(at <= RIGHT.indexOf('write') || at > RIGHT.indexOf('sign'))
    expect(other.isRevealed()).toBe(false)
  })

  test('one that signs before it writes gives its key away', () => {
    const machine = new Machine(['claim', 'sign', 'write', 'send'])
    machine.attempt(0, of(1), 2)
    machine.attempt(0, of(2), RIGHT.length)
    expect(machine.isRevealed()).toBe(true)
  })
})
