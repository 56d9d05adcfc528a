import { describe, expect, test } from 'vitest'
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
