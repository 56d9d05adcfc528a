import { type Client, createClient, type Payment } from '@kedge/api'
import { readTip } from '@kedge/bitcoin'
import { fromHex, toHex, verifyPayment } from '@kedge/core'
import type { Verifier } from '@kedge/signatures'
import { expect } from 'vitest'
import type { Intake } from '../src/intake.ts'
import { PassingIntake, type PassingParts } from '../src/pass-on.ts'
import { respondersOf } from '../src/queries.ts'
import type { QueryParts } from '../src/query-context.ts'
import { buildApi, type Responders } from '../src/serve.ts'
import type { Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

/** What responders threw: tests expect that there is nothing. */
export const failures: unknown[] = []

/** A client of an API, through its real routes. */
export function clientOf(handlers: Responders): Client {
  const keep = (fields: object) => void failures.push(fields)
  const api = buildApi({ handlers, log: { warn: keep, error: keep } })
  return createClient('http://node', {
    fetch: async (input, init) => api.fetch(new Request(input as string, init), {}),
  })
}

const IDLE = { purse: 0n, cap: 100, waiting: [] }

/** A client of a challenger, or what `parts` make of it. */
export function clientOfNode(node: TestNode, parts: Partial<QueryParts> = {}): Client {
  return clientOf(
    respondersOf({ node: node.queried, intake: nobody(node), role: 'challenger', upkeep: () => IDLE, ...parts }),
  )
}

/** The intake of a node to which no sequencer is connected. */
function nobody(node: TestNode): Intake {
  return passingIntake(node, { submit: () => Promise.reject(new Error('nothing is submitted here')) })
}

export function passingIntake({ queried }: TestNode, host: PassingParts['host']): PassingIntake {
  return new PassingIntake({ ...queried, verifier: queried.verifier as Verifier, host }, () => undefined)
}

/** Checks a payment's proof, beside the headers that the node gives, as somebody without a node would. */
export async function expectProof(rollup: Rollup, client: Client, id: string, payment: Payment): Promise<void> {
  if (payment.rung !== 'anchored' && payment.rung !== 'final') throw new Error(`a payment that is ${payment.rung}`)
  const { bytes, blockHeader, height } = payment.proof
  const { headers } = await client.blockHeaders({ height })
  expect(headers.slice(0, 160)).toBe(blockHeader)
  const shown = { proof: fromHex(bytes), blockHeaders: fromHex(headers) }
  const { hash } = await readTip(rollup.bitcoind.rpc)
  const verdict = verifyPayment(rollup.params, shown, { height: height + payment.depth - 1, hash })
  if (!verdict.ok) throw new Error(verdict.reason)
  expect(toHex(verdict.payment.id)).toBe(id)
  expect(verdict.payment).toMatchObject({ header: { number: payment.batch }, index: payment.index })
  expect(verdict.block).toMatchObject({ height, depth: payment.depth })
  expect(verdict.payment.isSecondLink).toBe(payment.batch === 2)
}
