import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'
import { ConfigError } from '../src/config-error.ts'
import { readKeys } from '../src/keys-file.ts'
import { readParams } from '../src/node-options.ts'
import { everyKey, sequencerSettings } from '../src/settings.ts'
import { freshFolder } from './folder.ts'
import { paramsText } from './params.ts'

const RUNS = Number(process.env.KEDGE_FUZZ ?? 10_000)
const TIMEOUT_MS = 30_000 + 5 * RUNS

type Content = string | Uint8Array

/** Whatever stands in a file, it is read, or refused with a reason that names the file. */
function readOrRefuse(read: (file: string) => unknown, content: fc.Arbitrary<Content>): void {
  const file = freshFolder().file('file', '')
  const check = (bytes: Content) => {
    writeFileSync(file, bytes)
    try {
      expect(read(file)).toBeTypeOf('object')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      expect(error.message).toContain(file)
    }
  }
  fc.assert(fc.property(content, check), { numRuns: RUNS })
}

/** Text with parts taken out, put in, and replaced. */
function mutated(text: string): fc.Arbitrary<Content> {
  const bytes = new TextEncoder().encode(text)
  const change = fc.tuple(fc.nat(bytes.length), fc.nat(8), fc.uint8Array({ maxLength: 8 }))
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce<Uint8Array>(
        (left, [at, out, put]) => Buffer.concat([left.subarray(0, at), put, left.subarray(at + out)]),
        bytes,
      ),
    )
}

function contents(example: string): fc.Arbitrary<Content> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.json(),
    mutated(example),
  )
}

const TOML = `params = "params.json"
keys = "keys.json"
data = "data"
workers = 2
[bitcoin]
url = "http://127.0.0.1:18443"
cookie-file = ".cookie"
[p2p]
listen = ["/ip4/0.0.0.0/tcp/4001"]
`

test(
  'a TOML file',
  () => {
    const flags = new Map(Object.entries({ params: '/p', keys: '/k', data: '/d', 'bitcoin.url': 'http://h' }))
    readOrRefuse((file) => readConfig(sequencerSettings, everyKey, { file, environment: {}, flags }), contents(TOML))
  },
  TIMEOUT_MS,
)

test.each([
  ['of dots', `${'a.'.repeat(30_000)}a = 1`],
  ['of known dots', `${'bitcoin.'.repeat(8_000)}a = 1`],
  ['of lists', `workers = ${'['.repeat(30_000)}`],
  ['of tables', `bitcoin = ${'{a='.repeat(15_000)}`],
])('a tower %s is refused', (_, toml) => {
  const file = freshFolder().file('kedge.toml', toml)
  expect(() => readConfig(sequencerSettings, everyKey, { file, environment: {}, flags: new Map() })).toThrow(
    ConfigError,
  )
})

test(
  'a keys file',
  () => {
    const [peer, coins] = ['11'.repeat(32), '22'.repeat(32)]
    readOrRefuse(readKeys, contents(JSON.stringify({ peer, coins, anchor: coins, slot: peer })))
  },
  TIMEOUT_MS,
)

test(
  'a file of parameters',
  () => {
    readOrRefuse(readParams, contents(paramsText('regtest')))
  },
  TIMEOUT_MS,
)
