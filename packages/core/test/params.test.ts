import { describe, expect, test } from 'vitest'
import { toHex } from '../src/bytes.ts'
import { HEADER_BYTES, MAX_HEADER_BYTES } from '../src/header.ts'
import { MAX_OPERATION_BYTES } from '../src/operation.ts'
import {
  findParamsFault,
  MAX_CERTIFIED_OPERATIONS,
  MAX_OPERATIONS,
  networkId,
  type Params,
  regtestRules,
} from '../src/params.ts'
import { paramsFromJson, paramsToJson } from '../src/params-json.ts'
import { encodeWhole, MAX_CERTIFIED_PART, MAX_PART } from '../src/publication.ts'
import { bytes32, keyOf, params } from './world.ts'

const windows = (change: Partial<Params['windows']>): Params => ({
  ...params,
  windows: { ...params.windows, ...change },
})
const caps = (change: Partial<Params['caps']>): Params => ({ ...params, caps: { ...params.caps, ...change } })
const fees = (change: Partial<Params['fees']>): Params => ({ ...params, fees: { ...params.fees, ...change } })
const keys = (change: Partial<Params['keys']>): Params => ({ ...params, keys: { ...params.keys, ...change } })

const certified = (operations: number): Params => ({ ...params, data: { kind: 'certified', operations } })
const certifiedFault = 'data.operations must be above caps.operations, and at most 2^16'

test('regtest’s rules are in order', () => {
  expect(findParamsFault({ ...params, ...regtestRules })).toBeUndefined()
})

test.each<[string, Params]>([
  ['originDepth must be at least 1', windows({ originDepth: 0 })],
  ['staleness must exceed originDepth', windows({ staleness: 1 })],
  ['dispute must exceed originDepth', windows({ originDepth: 6 })],
  ['dispute must be at least challenge + proof', windows({ dispute: 4 })],
  ['proof must exceed challenge', windows({ proof: 2 })],
  ['answer must be at least 1', windows({ answer: 0 })],
  ['takeover must be between 2 × staleness and 65535', windows({ takeover: 39 })],
  ['takeover must be between 2 × staleness and 65535', windows({ takeover: 65_536 })],
  ['caps.operations must be between 1 and 2^14', caps({ operations: 0 })],
  ['caps.operations must be between 1 and 2^14', caps({ operations: 2 ** 14 + 1 })],
  ['exit must be at least takeover + staleness', windows({ exit: 59 })],
  ['exit must exceed challenge + answer + staleness', windows({ answer: 266 })],
  ['margin must be at least originDepth + staleness', windows({ margin: 20 })],
  ['refund must exceed margin + originDepth', windows({ refund: 22 })],
  ['refund must be at most 65535', windows({ refund: 65_536 })],
  ['caps.deposits and caps.forced must be at least 1', caps({ deposits: 0 })],
  ['caps.deposits and caps.forced must be at least 1', caps({ forced: 0 })],
  ['caps.deposits + caps.forced must be at most caps.operations', caps({ deposits: 62 })],
  ['caps.ticks must be between 1 and 2^16', caps({ ticks: 0 })],
  ['caps.ticks must be between 1 and 2^16', caps({ ticks: 2 ** 16 + 1 })],
  ['caps.answerVbytesPerBlock must be at least 1', caps({ answerVbytesPerBlock: 0 })],
  ['there must be 1 to 15 watchers', keys({ watchers: [], threshold: 0 })],
  ['there must be 1 to 15 watchers', keys({ watchers: Array.from({ length: 16 }, (_, at) => bytes32(at)) })],
  ['threshold must be between 1 and the watchers', keys({ threshold: 4 })],
  ['threshold must be between 1 and the watchers', keys({ threshold: 0 })],
  ['watchers must differ', keys({ watchers: [keyOf(1), keyOf(2), keyOf(1)] })],
  ['keys.anchor must be on the curve', keys({ anchor: bytes32(3) })],
  ['minDeposit must exceed the deposit fee and the cell fee', fees({ minDeposit: 510n })],
  ['dust must be at least 546 sat', fees({ dust: 545n })],
  ['the vault must begin with no less than dust', { ...params, vault: { ...params.vault, value: 545n } }],
  ['the challenge payment must be at least 330 sat', fees({ challenge: 329n })],
  [certifiedFault, certified(64)],
  [certifiedFault, certified(2 ** 16 + 1)],
  [
    'what a batch publishes must fit into answer × caps.answerVbytesPerBlock',
    { ...caps({ operations: 64, answerVbytesPerBlock: 1_898 }), data: { kind: 'bitcoin' } },
  ],
])('%s', (fault, broken) => {
  expect(findParamsFault(broken)).toBe(fault)
  expect(() => paramsFromJson(paramsToJson(broken))).toThrow(`params: ${fault}`)
})

test('the largest batch of the longest operations fits one part between peers', () => {
  const operation = new Uint8Array(MAX_OPERATION_BYTES)
  const source = {
    headerBytes: new Uint8Array(HEADER_BYTES),
    pre: bytes32(0),
    operations: Array<Uint8Array>(MAX_OPERATIONS).fill(operation),
    stepRoots: new Uint8Array(32 * MAX_OPERATIONS),
  }
  expect(findParamsFault(caps({ operations: MAX_OPERATIONS }))).toBeUndefined()
  expect(encodeWhole('data', source).length).toBe(3_031_419)
  for (const kind of ['data', 'steps'] as const) expect(encodeWhole(kind, source).length).toBeLessThanOrEqual(MAX_PART)
})

test('so does the largest that watchers vouch for', () => {
  expect(findParamsFault(certified(MAX_CERTIFIED_OPERATIONS))).toBeUndefined()
  const around = 2 + MAX_HEADER_BYTES + 8 + 2
  expect(around + MAX_CERTIFIED_OPERATIONS * (2 + MAX_OPERATION_BYTES)).toBeLessThanOrEqual(MAX_CERTIFIED_PART)
})

test.each<[string, unknown]>([
  ['data must be an object', 'bitcoin'],
  ['data.kind must be bitcoin, or certified with data.operations', { kind: 'bitcoin', operations: 9 }],
  ['data.kind must be bitcoin, or certified with data.operations', { kind: 'challenge' }],
  ['data.kind must be bitcoin, or certified with data.operations', { kind: 'certified' }],
  ['data.operations must be a u32', { kind: 'certified', operations: '9' }],
])('data: %s', (reason, data) => {
  expect(() => paramsFromJson({ ...(paramsToJson(params) as object), data })).toThrow(`params: ${reason}`)
})

describe('the network’s id', () => {
  const variants: Params[] = [
    { ...params, chain: 'signet' },
    { ...params, genesis: { ...params.genesis, vout: 2 } },
    { ...params, genesis: { ...params.genesis, txid: bytes32(1) } },
    ...[{ txid: bytes32(1) }, { vout: 1 }, { value: 9_999n }].map((one) => ({
      ...params,
      vault: { ...params.vault, ...one },
    })),
    { ...params, scanHeight: 102 },
    ...(['anchor', 'slot', 'fees'] as const).map((name) => keys({ [name]: bytes32(1) })),
    keys({ watchers: params.keys.watchers.slice(1) }),
    keys({ threshold: 1 }),
    ...Object.keys(params.windows).map((name) => windows({ [name]: 17 })),
    ...Object.keys(params.caps).map((name) => caps({ [name]: 18 })),
    ...Object.keys(params.fees).map((name) => fees({ [name]: 19n })),
    { ...params, data: { kind: 'bitcoin' } },
    certified(65),
    certified(66),
  ]

  test('changes with every number of it', () => {
    const ids = [params, ...variants].map((one) => toHex(networkId(one)))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBe(1 + 12 + 11 + 5 + 7 + 3)
  })
})
