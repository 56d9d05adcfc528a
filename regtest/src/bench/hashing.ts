import { createHash } from 'node:crypto'
import { type Hasher, nobleHasher } from '@kedge/core'
import { fastestHasher } from '@kedge/node'
import { type Case, measureRounds, toMicroseconds } from './rounds.ts'
import type { Measurement } from './row.ts'

const PAIRS = 8192

/** SHA-256 of a layer of nodes: what the trees are made of. */
export function measureHashing(rounds: number): Measurement {
  return {
    rows: ['hash.layer'],
    does: `hashes layers of ${PAIRS} pairs of nodes`,
    async run() {
      const cases = {
        fastest: layerCase(fastestHasher()),
        crypto: layerCase(cryptoHasher),
        noble: layerCase(nobleHasher),
      }
      const { fastest, crypto, noble } = await measureRounds(cases, rounds)
      const peers = {
        'node:crypto createHash': toMicroseconds(crypto).value,
        '@noble/hashes': toMicroseconds(noble).value,
      }
      return [{ name: 'hash.layer', unit: 'µs/node', ...toMicroseconds(fastest), peers }]
    },
  }
}

const cryptoHasher: Pick<Hasher, 'hashInto'> = {
  hashInto(input, output) {
    for (let at = 0; at < output.length; at += 32) {
      output.set(
        createHash('sha256')
          .update(input.subarray(2 * at, 2 * at + 64))
          .digest(),
        at,
      )
    }
  },
}

function layerCase({ hashInto }: Pick<Hasher, 'hashInto'>): Case {
  const input = Uint8Array.from({ length: 64 * PAIRS }, (_, at) => at & 0xff)
  const output = new Uint8Array(32 * PAIRS)
  return {
    prepare: () => () => {
      hashInto(input, output)
      return PAIRS
    },
  }
}
