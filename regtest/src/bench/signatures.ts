import { publicKeyOf, signHash } from '@kedge/bitcoin'
import { encodeTransfer, sha256, type Transfer, transferMessage } from '@kedge/core'
import {
  createVerifier,
  type EngineChoice,
  isRowValid,
  type Verifier,
  verifySignature,
  writeRow,
} from '@kedge/signatures'
import { type Case, measureRounds, type Spread, toPerSecond } from './rounds.ts'
import type { Measurement } from './row.ts'
import { network, Traffic } from './world.ts'

/** Rows a round: a fraction of a second for either engine. */
const TINY_ROWS = 2048
const NOBLE_ROWS = 256

/** BIP340 checks in worker threads, each of another key's transfer. */
export function measureSignatures(rounds: number): Measurement {
  return {
    rows: ['signatures.tiny', 'signatures.noble'],
    does: 'checks signatures with tiny-secp256k1 and @noble/curves, on one worker thread and on two',
    async run(say) {
      say(`signing ${TINY_ROWS} transfers`)
      const signed = signedTransfers(TINY_ROWS)
      const verifiers: Verifier[] = []
      const start = async (engine: EngineChoice, workers: number, count: number) => {
        const verifier = await createVerifier({ engine, workers, network, capacityRows: 2 * TINY_ROWS })
        verifiers.push(verifier)
        return verifyCase(verifier, signed.slice(0, count))
      }
      try {
        say('checking')
        const spreads = await measureRounds(
          {
            tinyTwo: await start('tiny-secp256k1', 2, TINY_ROWS),
            tinyOne: await start('tiny-secp256k1', 1, TINY_ROWS),
            nobleTwo: await start('@noble/curves', 2, NOBLE_ROWS),
            nobleOne: await start('@noble/curves', 1, NOBLE_ROWS),
            calling: callingCase(signed),
          },
          rounds,
        )
        const calling = { 'calling thread': toPerSecond(spreads.calling).value }
        return [
          rowOf('signatures.tiny', spreads.tinyTwo, spreads.tinyOne, calling),
          rowOf('signatures.noble', spreads.nobleTwo, spreads.nobleOne),
        ]
      } finally {
        for (const verifier of verifiers) await verifier.close()
      }
    },
  }
}

/** Checks a second of the engine that nodes use, on two threads. */
export async function measureChecking(): Promise<number> {
  const verifier = await createVerifier({ workers: 2, network, capacityRows: 2 * TINY_ROWS })
  try {
    const cases = { check: verifyCase(verifier, signedTransfers(TINY_ROWS)) }
    return toPerSecond((await measureRounds(cases, 5)).check).value
  } finally {
    await verifier.close()
  }
}

function rowOf(name: string, two: Spread, one: Spread, peers: Readonly<Record<string, number>> = {}) {
  const { value, min, max } = toPerSecond(two)
  return { name, unit: 'checks/s, 2 workers', value, min, max, peers: { '1 worker': toPerSecond(one).value, ...peers } }
}

interface Signed {
  readonly owner: Uint8Array
  readonly transfer: Transfer
}

function signedTransfers(count: number): Signed[] {
  return new Traffic(count)
    .batch(0)
    .slice(0, count)
    .map((unsigned, at) => {
      const secret = sha256(new TextEncoder().encode(`payer ${at} of the benchmark`))
      const signature = signHash(transferMessage(network, unsigned), secret)
      return { owner: publicKeyOf(secret), transfer: { ...unsigned, signature } }
    })
}

function verifyCase(verifier: Verifier, signed: readonly Signed[]): Case {
  return {
    prepare() {
      const chunk = verifier.claim(signed.length)
      if (chunk === undefined) throw new Error('no room for the signatures of one round')
      for (const [at, { owner, transfer }] of signed.entries())
        writeRow(chunk.rows, at, owner, encodeTransfer(transfer))
      return async () => {
        await verifier.verify(chunk)
        if (!signed.every((_, at) => isRowValid(chunk.rows, at))) throw new Error('a signature was refused')
        verifier.release(chunk)
        return signed.length
      }
    },
  }
}

function callingCase(signed: readonly Signed[]): Case {
  const some = signed.slice(0, NOBLE_ROWS)
  return {
    prepare: () => () => {
      for (const { owner, transfer } of some) {
        if (!verifySignature(transfer.signature, transferMessage(network, transfer), owner))
          throw new Error('a signature was refused')
      }
      return some.length
    },
  }
}
