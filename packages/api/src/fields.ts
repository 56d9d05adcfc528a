import { type Params, paramsFromJson, paramsToJson } from '@kedge/core'
import { z } from 'zod'

/**
 * The API's vocabulary. On the wire: bytes are lower-case hex, u64 amounts are decimal strings (a JSON number would
 * lose digits above 2^53), heights, counts and cell numbers are numbers. In code an amount is a bigint.
 *
 * Kedge's hashes and keys are in hashing order. Fields named `txid` or `blockHash` are Bitcoin's, and are shown as
 * Bitcoin's explorers and RPC show them: byte-reversed.
 */

const U32_MAX = 0xffffffff

/** 2^48: cell numbers stay below it (core's MAX_CELL). */
const CELL_LIMIT = 2 ** 48

const HEX_32 = /^[0-9a-f]{64}$/

export const hash = z.string().regex(HEX_32, 'must be 32 bytes of lower-case hex')

/** An x-only public key (BIP340). */
export const key = z.string().regex(HEX_32, 'must be an x-only key: 32 bytes of lower-case hex')

/** In Bitcoin's display order. */
export const txid = z.string().regex(HEX_32, 'must be a Bitcoin txid: 64 lower-case hex digits')

/** In Bitcoin's display order. */
export const blockHash = z.string().regex(HEX_32, 'must be a Bitcoin block hash: 64 lower-case hex digits')

/** Bytes of at most `limit`, as hex. */
export function bytes(limit: number) {
  return z
    .string()
    .max(2 * limit, `must be at most ${limit} bytes`)
    .regex(/^(?:[0-9a-f]{2})*$/, 'must be lower-case hex')
}

/** Exactly `size` bytes, as hex. */
export function exactBytes(size: number) {
  return z.string().regex(new RegExp(`^[0-9a-f]{${2 * size}}$`), `must be ${size} bytes of lower-case hex`)
}

export const u32 = z.int().min(0).max(U32_MAX)

export const height = u32

export const cell = z
  .int()
  .min(0)
  .max(CELL_LIMIT - 1)

/** A u64: a decimal string on the wire, a bigint in code. */
export const u64 = z.codec(
  z.string().regex(/^(?:0|[1-9][0-9]{0,19})$/, 'must be a whole number as a decimal string'),
  z
    .bigint()
    .min(0n)
    .max(2n ** 64n - 1n),
  { decode: (text) => BigInt(text), encode: (value) => String(value) },
)

/** Millisatoshis. */
export const msat = u64

/** Satoshis. */
export const sats = u64

/** A u32 in a path or a query, where everything is text. */
export const u32Text = z.codec(z.string().regex(/^(?:0|[1-9][0-9]{0,9})$/, 'must be a whole number'), u32, {
  decode: (text) => Number(text),
  encode: (value) => String(value),
})

/** The name of a fault, a refusal or a cause, as core's closed unions spell them. */
export const reason = z.string().regex(/^[a-z][a-z0-9-]{0,47}$/, 'must be a name in lower case')

/** Why something had no effect, in words. */
export const sentence = z.string().max(300)

/** How many entries a page holds when the request does not say, and the most it may ask for. */
export const PAGE_LIMIT = 50
export const PAGE_LIMIT_MAX = 200

export const limit = z
  .codec(
    z.string().regex(/^[1-9][0-9]{0,2}$/, `must be a whole number from 1 to ${PAGE_LIMIT_MAX}`),
    z.int().min(1).max(PAGE_LIMIT_MAX),
    {
      decode: (text) => Number(text),
      encode: (value) => String(value),
    },
  )
  .optional()

/** Where in Kedge's history an operation stands. In a query: `batch-index`. */
export const place = z.object({ batch: u32, index: u32 })
export type Place = z.output<typeof place>

export const placeText = z.codec(z.string().regex(/^[0-9]{1,10}-[0-9]{1,10}$/, 'must be batch-index'), place, {
  decode: (text) => {
    const [batch = Number.NaN, index = Number.NaN] = text.split('-').map(Number)
    return { batch, index }
  },
  encode: ({ batch, index }) => `${batch}-${index}`,
})

/** Where in Bitcoin an output or a transaction (index 0) stands. In a query: `height-tx-index`. */
export const position = z.object({ height, tx: u32, index: u32 })

export const positionText = z.codec(
  z.string().regex(/^[0-9]{1,10}(?:-[0-9]{1,10}){2}$/, 'must be height-tx-index'),
  position,
  {
    decode: (text) => {
      const [at = Number.NaN, tx = Number.NaN, index = Number.NaN] = text.split('-').map(Number)
      return { height: at, tx, index }
    },
    encode: ({ height: at, tx, index }) => `${at}-${tx}-${index}`,
  },
)

/** A network's parameters: core's own JSON form on the wire, core's value in code. */
export const params = z.codec(z.record(z.string(), z.unknown()), z.custom<Params>(), {
  decode: (json, context) => {
    try {
      return paramsFromJson(json)
    } catch (error) {
      context.issues.push({
        code: 'custom',
        input: json,
        message: error instanceof Error ? error.message : 'not a network',
      })
      return z.NEVER
    }
  },
  encode: (value) => paramsToJson(value) as Record<string, unknown>,
})
