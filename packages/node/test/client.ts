import { type Client, createClient, type Payment } from '@kedge/api'
import {
  anchorScript,
  computeRoot,
  decodeHeader,
  decodeTransfer,
  fromHex,
  headerHash,
  operationId,
  toHex,
  transferMessage,
} from '@kedge/core'
import { expect } from 'vitest'
import type { Intake } from '../src/intake.ts'
import { passOn } from '../src/pass-on.ts'
import { respondersOf } from '../src/queries.ts'
import type { QueryParts } from '../src/query-context.ts'
import { buildApi, type Responders } from '../src/serve.ts'
import type { Rollup, TestNode } from './ground.ts'

/** What responders threw: tests expect that there is nothing. */
export const failures: unknown[] = []

/** A client of an API, through its real routes. */
export function clientOf(handlers: Responders): Client {
  const keep = (fields: object) => void failures.push(fields)
  const api = buildApi({ handlers, log: { warn: keep, error: keep } })
  return createClient('http://node', { fetch: async (input, init) => api.fetch(new Request(input as string, init)) })
}

/** A client of a challenger, or what `parts` make of it. */
export function clientOfNode(node: TestNode, parts: Partial<QueryParts> = {}): Client {
  return clientOf(respondersOf({ node: node.queried, intake: nobody(node), role: 'challenger', ...parts }))
}

/** The intake of a node to which no sequencer is connected. */
function nobody({ queried }: TestNode): Intake {
  return passOn({ submit: () => Promise.reject(new Error('nothing is submitted here')) }, queried.network)
}

/** Checks a payment's proof with Bitcoin's own means, as far as its block. */
export function expectProof(rollup: Rollup, id: string, proof: Payment): void {
  if (proof.rung !== 'anchored' && proof.rung !== 'final') throw new Error(`a payment that is ${proof.rung}`)
  const { operation, index, path, header: headerHex, anchor } = proof.proof
  const transfer = decodeTransfer(fromHex(operation))
  expect(transfer && toHex(transferMessage(rollup.network, transfer))).toBe(id)
  const header = decodeHeader(fromHex(headerHex))
  expect(header?.number).toBe(proof.batch)
  const root = computeRoot(header?.opCount ?? 0, [index], [operationId(fromHex(operation))], path.map(fromHex))
  expect(root).toEqual(header?.opsRoot)
  // The anchor commits to the header in its OP_RETURN.
  expect(anchor.rawTx).toContain(toHex(headerHash(fromHex(headerHex))))
  expect(anchor.previousTx).toContain(toHex(anchorScript(rollup.params)))
  expect(anchor.coinbase.path).toHaveLength(anchor.path.length)
}
