import { beforeAll, describe, expect, test } from 'vitest'
import type { EvidenceFault } from '../src/evidence.ts'
import { networkId } from '../src/params.ts'
import { paramsToJson } from '../src/params-json.ts'
import { batchVectors, partVectors } from './corpus/batches.ts'
import { bondVectors } from './corpus/bonds.ts'
import { evidenceVectors } from './corpus/evidence.ts'
import { headerVectors } from './corpus/headers.ts'
import { type Json, render, toJson } from './corpus/json.ts'
import { messageVectors } from './corpus/messages.ts'
import { modeVectors } from './corpus/modes.ts'
import { operationVectors, signatureVectors } from './corpus/operations.ts'
import { promiseVectors } from './corpus/promises.ts'
import { proofVectors } from './corpus/proofs.ts'
import { traces } from './corpus/traces.ts'
import { stateVectors, treeVectors } from './corpus/trees.ts'
import { depositScriptVectors, planVectors } from './corpus/vault.ts'
import { params } from './world.ts'

/**
 * The files in `vectors/` are what the code gives. Where they differ, either the code has a fault or the protocol has
 * changed, and then so has its version: `node scripts/vectors.mjs` writes them anew.
 */
const files: Record<string, () => Json> = {
  params: () => ({ params: paramsToJson(params) as Json, network: toJson(networkId(params)) }),
  signatures: signatureVectors,
  operations: operationVectors,
  trees: treeVectors,
  states: stateVectors,
  batch: batchVectors,
  headers: headerVectors,
  evidence: evidenceVectors,
  messages: messageVectors,
  parts: partVectors,
  'deposit-scripts': depositScriptVectors,
  plans: planVectors,
  proofs: proofVectors,
  bonds: bondVectors,
  promises: promiseVectors,
  modes: modeVectors,
}

describe('the vectors are what the code gives', () => {
  test.each(Object.entries(files))('%s', async (name, make) => {
    await expect(`${render(make())}\n`).toMatchFileSnapshot(`../vectors/${name}.json`)
  })

  test.each(Object.entries(traces))('chain/%s', async (name, make) => {
    await expect(`${render(make())}\n`).toMatchFileSnapshot(`../vectors/chain/${name}.json`)
  })
})

/** Where a vector shows evidence of it; undefined for what Bitcoin's supply keeps from happening. */
const SHOWN: Record<EvidenceFault, 'evidence' | 'modes' | undefined> = {
  ...{ malformed: 'evidence', network: 'evidence', number: 'evidence', parent: 'evidence' },
  ...{ 'anchored-post': 'evidence', 'origin-decreases': 'evidence', lapsed: 'evidence', pre: 'evidence' },
  ...{ 'too-many-operations': 'evidence', certificate: 'modes', 'empty-batch': 'evidence' },
  ...{ 'parent-signature': 'evidence', undecodable: 'evidence', 'unknown-cell': 'evidence' },
  ...{ 'self-transfer': 'evidence', 'zero-amount': 'evidence', 'nonce-used': 'evidence', 'nonce-ahead': 'evidence' },
  ...{ expired: 'evidence', 'may-not-create': 'evidence', 'fee-too-low': 'evidence', dust: 'evidence' },
  ...{ 'payout-fee-too-low': 'evidence', 'wrong-recipient': 'evidence', 'insufficient-funds': 'evidence' },
  ...{ overflow: undefined, 'bad-signature': 'evidence', 'not-due': 'evidence', 'deposit-due': 'evidence' },
  ...{ 'forced-due': 'evidence', 'wrong-root': 'evidence', 'post-is-not-last-step': 'evidence' },
}

describe('a batch is made void, in a vector, for every fault', () => {
  const rendered = { evidence: '', modes: '' }
  beforeAll(() => {
    for (const name of ['evidence', 'modes'] as const) rendered[name] = render(files[name]?.() ?? null)
  })

  test.each(Object.entries(SHOWN).flatMap(([fault, file]) => (file === undefined ? [] : [[fault, file] as const])))(
    '%s, in %s',
    (fault, file) => expect(rendered[file]).toContain(`"fault": "${fault}"`),
  )
})
