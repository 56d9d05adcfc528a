import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type AnchoredLink,
  BatchExecution,
  buildHeader,
  type CommittedBatch,
  type Court,
  decodeEvidence,
  encodeEvidence,
  installHasher,
  type Ledger,
  merkleRoot,
  proveStep,
  type SealedBatch,
  sha256,
  signedMessage,
  stepLeaves,
  type Transfer,
  verifyEvidence,
  ZERO_HASH,
} from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { verifySignature } from '@kedge/signatures'
import { schnorr } from '@noble/curves/secp256k1.js'
import { type Case, measureRounds, spreadOf } from './rounds.ts'
import type { Measurement } from './row.ts'
import { BATCH, context, largeLedger, network, noSlots, origin, Traffic } from './world.ts'

const CELLS = 1_000_000
const secret = sha256(new TextEncoder().encode('who pays in the proofs of the benchmark'))
const payer = publicKeyOf(secret)

/** Evidence that a full batch over a million cells gives a wrong state root, judged with everything that can be asked. */
export function measureProof(rounds: number): Measurement {
  return {
    rows: ['proof.bytes.1e6', 'proof.build.1e6', 'proof.verify'],
    does: `proves one wrong step in batches of ${BATCH} over ${CELLS} cells, and judges the proofs`,
    async run() {
      installHasher(fastestHasher())
      const lies = new Lies(largeLedger(CELLS, () => payer))
      const { build } = await measureRounds({ build: lies.building }, rounds)
      const verifying = {
        fast: lies.judging(verifySignature),
        noble: lies.judging((signature, message, key) => schnorr.verify(signature, message, key)),
        signature: lies.checkingSignatures(),
      }
      const { fast, noble, signature } = await measureRounds(verifying, rounds)
      const sizes = lies.proofs.map(({ bytes }) => bytes.length)
      return [
        { name: 'proof.bytes.1e6', unit: 'bytes', ...spreadOf(sizes), goal: { is: 'at most', value: 3000 } },
        { name: 'proof.build.1e6', unit: 'ms', ...build },
        {
          ...{ name: 'proof.verify', unit: 'ms', ...fast, limit: signature.value, goal: { is: 'at most', value: 5 } },
          peers: { 'with @noble/curves': noble.value },
        },
      ]
    },
  }
}

type Verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array) => boolean

interface Lie {
  readonly batch: CommittedBatch
  readonly hash: Uint8Array
  readonly post: Uint8Array
  readonly index: number
  readonly transfer: Transfer
}

interface Proof {
  readonly lie: Lie
  readonly bytes: Uint8Array
}

/** Batches that commit to a wrong root after one of their transfers, and the proofs of it. */
class Lies {
  private readonly ledger: Ledger
  private readonly traffic = new Traffic(CELLS, () => payer)
  readonly proofs: Proof[] = []
  private batches = 0

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  /** Each round another batch, another place; the ledger goes on along the true ones. */
  get building(): Case {
    let undone: SealedBatch | undefined
    return {
      prepare: () => {
        if (undone !== undefined) this.ledger.redo(undone.delta)
        const index = Math.floor(Math.random() * BATCH)
        const { lie, honest } = this.tell(index)
        undone = honest
        return () => {
          const bytes = encodeEvidence(proveStep(context, this.ledger, lie.batch, index))
          this.proofs.push({ lie, bytes })
          return 1
        }
      },
    }
  }

  /** A batch with a lie at `index`. The ledger is left before it. */
  private tell(index: number): { lie: Lie; honest: SealedBatch } {
    const transfers = [...this.traffic.batch(this.batches++)]
    const unsigned = transfers[index] as Transfer
    const transfer = { ...unsigned, signature: signHash(signedMessage(network, unsigned), secret) }
    transfers[index] = transfer
    const honest = this.execute(transfers)
    const stepRoots = Uint8Array.from(honest.stepRoots)
    stepRoots.set(sha256(stepRoots), 32 * index)
    const { pre, operations } = honest
    const post = stepRoots.slice(-32)
    const content = { ...honest, post, stepRoots, stepsRoot: merkleRoot(stepLeaves(pre, stepRoots)) }
    const { bytes, hash } = buildHeader({ network, number: 1, parent: ZERO_HASH, origin }, content, noSlots)
    return { lie: { batch: { headerBytes: bytes, pre, operations, stepRoots }, hash, post, index, transfer }, honest }
  }

  private execute(transfers: readonly Transfer[]): SealedBatch {
    const execution = new BatchExecution(context, this.ledger)
    for (const transfer of transfers) {
      const refusal = execution.add(transfer)
      if (refusal !== undefined) throw new Error(`a transfer of the benchmark is refused: ${refusal}`)
    }
    const sealed = execution.seal()
    this.ledger.undo(sealed.delta)
    return sealed
  }

  /** From bytes to verdict, proof after proof. */
  judging(verify: Verify): Case {
    const court: Court = {
      ...context,
      isSigned: (owner, operation) => verify(operation.signature, signedMessage(network, operation), owner),
    }
    return {
      prepare: () => () => {
        for (const { lie, bytes } of this.proofs) judge(court, lie, bytes)
        return this.proofs.length
      },
    }
  }

  /** Nobody judges a signed transfer without checking its signature. */
  checkingSignatures(): Case {
    return {
      prepare: () => () => {
        for (const { lie } of this.proofs) {
          const { signature } = lie.transfer
          if (!verifySignature(signature, signedMessage(network, lie.transfer), payer))
            throw new Error('a signature of the benchmark does not verify')
        }
        return this.proofs.length
      },
    }
  }
}

function judge(court: Court, { hash, post }: Lie, bytes: Uint8Array): void {
  const anchorHeight = origin.height + 1
  const link: AnchoredLink = { number: 1, headerHash: hash, post, anchorHeight, parent: ZERO_HASH }
  const evidence = decodeEvidence(bytes)
  const verdict = evidence && verifyEvidence(court, link, evidence)
  if (verdict?.ok !== true || verdict.fault !== 'wrong-root')
    throw new Error(`a proof of the benchmark fails: ${JSON.stringify(verdict)}`)
}
