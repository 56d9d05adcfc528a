import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig, type Sources } from '../src/config.ts'
import { flagOf, variableOf } from '../src/setting.ts'
import { challengerSettings, everyKey, sequencerSettings, walletSettings } from '../src/settings.ts'
import { freshFolder } from './folder.ts'

const REQUIRED = { params: '/p.json', keys: '/k.json', data: '/d', 'bitcoin.url': 'http://127.0.0.1:8332' }

interface Given {
  readonly toml?: string
  readonly environment?: Sources['environment']
  readonly flags?: Readonly<Record<string, unknown>>
}

/** A sequencer's configuration with everything that must be set. */
function read({ toml, environment = {}, flags = {} }: Given) {
  const file = toml === undefined ? undefined : freshFolder().file('kedge.toml', toml)
  return readConfig(sequencerSettings, everyKey, {
    file,
    environment,
    flags: new Map(Object.entries({ ...REQUIRED, ...flags })),
  })
}

test('defaults', () => {
  expect(read({})).toEqual({
    ...REQUIRED,
    'bitcoin.timeout-ms': 30_000,
    'bitcoin.cookie-file': undefined,
    'bitcoin.user': undefined,
    'bitcoin.password': undefined,
    'p2p.listen': ['/ip4/0.0.0.0/tcp/4001'],
    'p2p.bootstrap': [],
    'api.host': '127.0.0.1',
    'api.port': 8780,
    'api.origins': [],
    workers: Math.max(1, availableParallelism() - 1),
    'max-fee-rate': 100,
    'log-level': 'info',
    'allow-off-regtest': false,
    'seal-after-ms': 1000,
    'sign-alone': false,
  })
})

describe('each key, from each source', () => {
  const values: Readonly<Record<string, readonly [toml: string, text: string, value: unknown, wrong: string]>> = {
    params: ['"/x"', '/x', '/x', '""'],
    keys: ['"/x"', '/x', '/x', '""'],
    data: ['"/x"', '/x', '/x', '""'],
    'bitcoin.url': ['"http://h:1"', 'http://h:1', 'http://h:1', '"ftp://h"'],
    'bitcoin.cookie-file': ['"/x"', '/x', '/x', '""'],
    'bitcoin.user': ['"u"', 'u', 'u', '""'],
    'bitcoin.password': ['"p"', 'p', 'p', '""'],
    'bitcoin.timeout-ms': ['500', '500', 500, '50'],
    'p2p.listen': ['["/ip4/1.2.3.4/tcp/1"]', '/ip4/1.2.3.4/tcp/1', ['/ip4/1.2.3.4/tcp/1'], '["localhost"]'],
    'p2p.bootstrap': [
      '["/dns4/a/tcp/1", "/dns4/b/tcp/2"]',
      '/dns4/a/tcp/1,/dns4/b/tcp/2',
      ['/dns4/a/tcp/1', '/dns4/b/tcp/2'],
      '"a"',
    ],
    'api.host': ['"::1"', '::1', '::1', '""'],
    'api.port': ['0', '0', 0, '65536'],
    'api.origins': ['["https://w.example"]', 'https://w.example', ['https://w.example'], '["w.example"]'],
    workers: ['4', '4', 4, '0'],
    'max-fee-rate': ['7', '7', 7, '1.5'],
    'log-level': ['"debug"', 'debug', 'debug', '"loud"'],
    'allow-off-regtest': ['true', 'true', true, '"yes"'],
    'seal-after-ms': ['20', '20', 20, '-1'],
    'sign-alone': ['true', 'true', true, '"yes"'],
  }

  test('none is missing here', () => {
    expect(Object.keys(values)).toEqual(Object.keys(sequencerSettings))
  })

  for (const [key, [toml, text, value, wrong]] of Object.entries(values)) {
    const others = Object.fromEntries(Object.entries(REQUIRED).filter(([name]) => name !== key))
    const from = (given: Given) => {
      const file = given.toml === undefined ? undefined : freshFolder().file('kedge.toml', given.toml)
      const flags = new Map(Object.entries({ ...others, ...given.flags }))
      return readConfig(sequencerSettings, everyKey, { file, environment: given.environment ?? {}, flags })[
        key as 'data'
      ]
    }
    const wrongText = wrong.replace(/["[\]]/g, '')

    test(`${key} is taken from file, variable and flag`, () => {
      expect(from({ toml: `${key} = ${toml}` })).toEqual(value)
      expect(from({ environment: { [variableOf(key)]: text } })).toEqual(value)
      expect(from({ flags: { [key]: text } })).toEqual(value)
    })

    test(`${key}: a wrong value names the key in the file, the variable, the flag`, () => {
      expect(() => from({ toml: `${key} = ${wrong}` })).toThrow(new RegExp(`kedge\\.toml: ${key}: must be `))
      if (key === 'p2p.bootstrap') return
      expect(() => from({ environment: { [variableOf(key)]: wrongText } })).toThrow(`${variableOf(key)}: must be `)
      expect(() => from({ flags: { [key]: wrongText } })).toThrow(`${flagOf(key)}: must be `)
    })

    test(`${key}: a value of another kind is refused`, () => {
      expect(() => from({ toml: `${key} = 2026-11-23` })).toThrow(`kedge.toml: ${key}: must be `)
      expect(() => from({ toml: `${key} = {}` })).toThrow(`kedge.toml: ${key}: must be `)
    })
  }
})

describe('unknown keys', () => {
  test.each([
    ['sael-after-ms = 5', 'unknown key sael-after-ms; the keys are params, keys,'],
    ['[bitcoin]\nport = 5', 'unknown key bitcoin.port'],
    ['[rpc]', 'unknown key rpc'],
    ['[rpc.deeper]\nurl = "x"', 'unknown key rpc'],
    ['bitcoin = 1', 'unknown key bitcoin'],
    ['[bitcoin.url]\nx = 1', 'bitcoin.url: must be'],
    ['"__proto__" = 1', 'unknown key __proto__'],
    ['[__proto__]\nx = 1', 'unknown key __proto__'],
    ['constructor = 1', 'unknown key constructor'],
  ])('in the file: %s', (toml, reason) => {
    expect(() => read({ toml })).toThrow(reason)
  })

  test('in the environment, but not what is for other commands or the regtest network', () => {
    expect(() => read({ environment: { KEDGE_SEAL_AFTER: '1' } })).toThrow('KEDGE_SEAL_AFTER: unknown variable')
    expect(
      read({ environment: { KEDGE_WALLET: '/w', KEDGE_NODE: 'no URL', KEDGE_REGTEST_DATA: '/d', HOME: '/' } }),
    ).toBeDefined()
  })

  test('among the flags', () => {
    expect(() => read({ flags: { 'seal-after': '1' } })).toThrow('--seal-after: unknown flag')
  })

  test('of the sequencer in a challenger’s file', () => {
    const file = freshFolder().file('kedge.toml', 'seal-after-ms = 5')
    const sources = { file, environment: {}, flags: new Map(Object.entries(REQUIRED)) }
    expect(() => readConfig(challengerSettings, everyKey, sources)).toThrow('unknown key seal-after-ms')
  })

  test('an empty table of a known name says nothing', () => {
    expect(read({ toml: '[bitcoin]\n[p2p]\n' })['api.port']).toBe(8780)
  })
})

describe('precedence', () => {
  const toml = 'workers = 1'
  const environment = { KEDGE_WORKERS: '2' }

  test('a flag wins over the environment, that over the file, that over the default', () => {
    expect(read({ toml, environment, flags: { workers: '3' } }).workers).toBe(3)
    expect(read({ toml, environment }).workers).toBe(2)
    expect(read({ toml }).workers).toBe(1)
  })

  test('also where the value that wins is the default', () => {
    expect(
      read({ toml: 'allow-off-regtest = true', environment: { KEDGE_ALLOW_OFF_REGTEST: 'false' } })[
        'allow-off-regtest'
      ],
    ).toBe(false)
    expect(read({ toml: 'p2p.bootstrap = ["/a"]', environment: { KEDGE_P2P_BOOTSTRAP: '' } })['p2p.bootstrap']).toEqual(
      [],
    )
  })

  test('a wrong value that is overruled is an error all the same', () => {
    expect(() => read({ toml: 'workers = "x"', flags: { workers: '3' } })).toThrow('kedge.toml: workers: must be')
    expect(() => read({ environment: { KEDGE_WORKERS: 'x' }, flags: { workers: '3' } })).toThrow(
      'KEDGE_WORKERS: must be',
    )
  })
})

describe('what must be set', () => {
  test.each(Object.keys(REQUIRED))('%s: the error names the three ways', (key) => {
    const flags = new Map(Object.entries(REQUIRED).filter(([name]) => name !== key))
    const reading = () => readConfig(sequencerSettings, everyKey, { environment: {}, flags })
    expect(reading).toThrow(
      `${key} is not set: give it in the file as ${key}, as the variable ${variableOf(key)}, or as ${flagOf(key)} `,
    )
  })

  test('nothing of a wallet', () => {
    const config = readConfig(walletSettings, everyKey, { environment: {}, flags: new Map() })
    expect(config).toMatchObject({
      wallet: 'kedge-wallet.json',
      node: 'http://127.0.0.1:8780',
      'bitcoin.url': undefined,
    })
  })
})

test('a path in the file is relative to the file, elsewhere to the working directory', () => {
  const folder = freshFolder()
  const file = folder.file('kedge.toml', 'data = "db"\nkeys = "/abs/keys.json"')
  const flags = new Map<string, unknown>([['bitcoin.url', 'http://h']])
  const config = readConfig(sequencerSettings, everyKey, { file, environment: { KEDGE_PARAMS: 'p.json' }, flags })
  expect(config).toMatchObject({ data: join(folder.path, 'db'), keys: '/abs/keys.json', params: resolve('p.json') })
})

describe('a file that can’t be read', () => {
  const reading = (file: string) => () =>
    readConfig(walletSettings, everyKey, { file, environment: {}, flags: new Map() })

  test.each([
    ['no TOML', 'node = ', /kedge\.toml: line 1: /],
    ['an open string', 'node = "abc\n', /kedge\.toml: line 1: .*does a quote miss its second one\?$/],
    ['a key twice', 'node = "http://a"\nnode = "http://b"', /kedge\.toml: line 2: .*redefine/],
    ['no text', Uint8Array.of(0xff, 0xfe), /kedge\.toml: it is not UTF-8 text/],
    ['too large', '#'.repeat(64 * 1024 + 1), /kedge\.toml: it is larger than 65536 bytes/],
  ])('%s', (_, content, reason) => {
    expect(reading(freshFolder().file('kedge.toml', content))).toThrow(reason)
  })

  test('none at all, and a folder', () => {
    expect(reading('/nowhere/kedge.toml')).toThrow('/nowhere/kedge.toml: cannot be read: ENOENT')
    expect(reading(freshFolder().path)).toThrow('it is a folder')
  })
})
