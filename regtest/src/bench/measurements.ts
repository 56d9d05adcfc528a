import { measureBatch } from './batch.ts'
import { measureHashing } from './hashing.ts'
import { measureProof } from './proof.ts'
import { measureReceipts } from './receipt.ts'
import type { Measurement } from './row.ts'
import { measureLatency, measureSequencer, measureUnchecked } from './sequencer.ts'
import { measureSignatures } from './signatures.ts'
import { measureTree } from './tree.ts'
import { measureVbytes } from './vbytes.ts'

/** Everything that is measured, in the order in which it runs. */
export const measurements: readonly Measurement[] = [
  measureHashing(15),
  measureSignatures(5),
  measureTree('1e5', 15),
  measureTree('1e6', 15),
  measureBatch('1e5', 15),
  measureBatch('1e6', 15),
  measureProof(7),
  measureReceipts(15),
  measureVbytes(),
  measureSequencer(10_000),
  measureLatency(10_000),
  measureUnchecked(100_000),
]
