import { concatBytes, encodeTransfer, type Transfer, toHex } from '@kedge/core'
import { afterAll, beforeAll, expect } from 'vitest'
import type { Intake, IntakeResult } from '../src/intake.ts'
import { respondersOf } from '../src/queries.ts'
import type { Responders } from '../src/serve.ts'
import { failures } from './client.ts'
import { type Built, keyOf, Rollup } from './ground.ts'
import { Script } from './intake-script.ts'
import type { TestNode } from './test-node.ts'

/** What tests of submissions stand on: a node behind a batch, and payments that may follow. Each test file has its own. */

export const [ALICE, BOB] = [20, 21]
export let rollup: Rollup
export let node: TestNode
/** Alice's first payment, which a batch holds. */
export let executed: Transfer

/** Called by each file: files that run in one process share this module, and hooks of its own would be the first one's. */
export function useSubmitting(): void {
  beforeAll(async () => {
    made.clear()
    rollup = await Rollup.start()
    node = await rollup.openNode('node')
    await rollup.begin(node, [ALICE, BOB], 50_000n)
    executed = rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 5n })
    const built: Built = rollup.build(node, [executed])
    await rollup.mineBatch(node, built)
  })

  afterAll(async () => {
    await rollup.stop()
    expect(failures).toEqual([])
  })
}

const made = new Map<number, Transfer>()

export function transfer(nonce: number): Transfer {
  const known =
    made.get(nonce) ?? rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 1n, nonce: BigInt(nonce) })
  made.set(nonce, known)
  return known
}

export function rowsOf(...nonces: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(concatBytes(...nonces.map((nonce) => encodeTransfer(transfer(nonce)))))
}

export function sentOf(...nonces: number[]) {
  return nonces.map((nonce) => ({ bytes: encodeTransfer(transfer(nonce)), operation: transfer(nonce) }))
}

export function handlersOf(intake: Intake, role: 'sequencer' | 'challenger' = 'sequencer'): Responders {
  const upkeep = () => ({ purse: 0n, cap: 100, waiting: [] })
  return respondersOf({ node: node.queried, intake, role, upkeep })
}

export const scripted = (fates: (nonce: bigint) => IntakeResult | 'take' | 'tick') => new Script(rollup.params, fates)

export const one = (nonce: number) => ({ transfer: toHex(encodeTransfer(transfer(nonce))) })
