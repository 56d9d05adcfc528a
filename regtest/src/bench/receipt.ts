import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  installHasher,
  MerkleLog,
  nonceRootOf,
  type Receipt,
  receiptHolds,
  sha256,
  type Tick,
  tickMessage,
  ZERO_HASH,
} from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { verifySignature } from '@kedge/signatures'
import { SlotSigner } from '../slot-signer.ts'
import { type Case, measureRounds, toMicroseconds } from './rounds.ts'
import type { Measurement } from './row.ts'
import { BATCH, network, origin, params } from './world.ts'

/** Operations that one tick promises: those of a full request. */
const PROMISED = 1000
const ROUNDS_A_SAMPLE = 20

const secret = sha256(new TextEncoder().encode('who signs the ticks of the benchmark'))
const slot = publicKeyOf(secret)
const signer = new SlotSigner(params, secret)

/** The promise for a request's transfers behind an open batch's others, and what a wallet does with it. */
export function measureReceipts(rounds: number): Measurement {
  return {
    rows: ['receipt.make', 'receipt.check'],
    does: `signs ticks over ${PROMISED} new operations in a batch of up to ${BATCH}, and checks receipts`,
    async run() {
      installHasher(fastestHasher())
      const receipts: Receipt[] = []
      const cases = { make: makeCase(receipts), check: checkCase(receipts), sign: signCase(), verify: verifyCase() }
      // There must be receipts to check, whichever comes first in a round.
      await cases.make.prepare()()
      const { make, check, sign, verify } = await measureRounds(cases, rounds)
      return [
        { name: 'receipt.make', unit: 'µs', ...toMicroseconds(make), limit: toMicroseconds(sign).value },
        { name: 'receipt.check', unit: 'µs', ...toMicroseconds(check), limit: toMicroseconds(verify).value },
      ]
    },
  }
}

const id = sha256(ZERO_HASH)
const ids = Uint8Array.from({ length: 32 * PROMISED }, (_, at) => id[at % 32] as number)

function makeCase(receipts: Receipt[]): Case {
  return {
    prepare() {
      receipts.length = 0
      return () => {
        for (let batch = 0; batch < ROUNDS_A_SAMPLE / Math.floor(BATCH / PROMISED); batch++) fillBatch(receipts)
        return receipts.length
      }
    },
  }
}

/** One tick after another until the batch is full. */
function fillBatch(receipts: Receipt[]): void {
  const log = new MerkleLog()
  for (let index = 0; log.count + PROMISED <= BATCH; index++) {
    const opIndex = log.count
    log.append(ids)
    const opsRoot = log.root().slice()
    const path = log.prove(opIndex).map((hash) => hash.slice())
    const tick: Tick = { number: 1, index, origin, parent: ZERO_HASH, count: log.count, opsRoot }
    receipts.push({ ...signer.sign(tick), opIndex, path })
  }
}

function isPromised(receipt: Receipt): boolean {
  const root = nonceRootOf(params.caps.ticks, receipt)
  if (root === undefined || !receiptHolds(receipt, id)) return false
  return verifySignature(receipt.signature, tickMessage(network, receipt.tick, root), slot)
}

function checkCase(receipts: readonly Receipt[]): Case {
  return {
    prepare: () => () => {
      for (const receipt of receipts) {
        if (!isPromised(receipt)) throw new Error('a receipt of the benchmark does not hold')
      }
      return receipts.length
    },
  }
}

const signature = signHash(id, secret)

function signCase(): Case {
  return {
    prepare: () => () => {
      for (let at = 0; at < ROUNDS_A_SAMPLE; at++) signHash(id, secret)
      return ROUNDS_A_SAMPLE
    },
  }
}

function verifyCase(): Case {
  return {
    prepare: () => () => {
      for (let at = 0; at < ROUNDS_A_SAMPLE; at++) verifySignature(signature, id, slot)
      return ROUNDS_A_SAMPLE
    },
  }
}
