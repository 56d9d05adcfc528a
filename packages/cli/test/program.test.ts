import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { kedgeProgram } from '../src/program.ts'
import { freshFolder } from './folder.ts'
import { kedge } from './kedge.ts'
import { KEYS, paramsText } from './params.ts'

const WORDS = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about'

/** On regtest; nobody here has its key. */
const ADDRESS = 'bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg'

/** A file that is something else than what it is given for. */
const MANIFEST = fileURLToPath(new URL('../package.json', import.meta.url))

/** Tells on standard error what a program loads. */
const LOADED = new URL('./loaded.mjs', import.meta.url).href

/** A command and all below it, each with the words that call it. */
function everyCommand(command: Command, name = ''): [string, Command][] {
  const below = command.commands.flatMap((each) => everyCommand(each, `${name} ${each.name()}`.trim()))
  return [[name, command], ...below]
}

function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    },
  })
  command.outputHelp()
  return help
}

describe('help', async () => {
  const program = await kedgeProgram({}, '0')
  // What starts a network has its help from the program that it starts.
  const own = everyCommand(program).filter(([name]) => name !== 'regtest up')

  test.each(own)('kedge %s: with an example', (name, command) => {
    const help = helpOf(command)
    expect(help).toMatch(new RegExp(`^Usage: kedge ${name}`))
    expect(help).not.toMatch(/: -- is|KEDGE_ here/)
    expect(help).toMatch(/Examples?:\n {2}(KEDGE_\S+ )?kedge /)
    // Rollup addresses are 64 hex digits: no example may look like a compressed key.
    expect(help).not.toMatch(/\b0[23][0-9a-f]+…/)
  })
  test('each setting of a node stands in its help, with its default', async () => {
    const { code, stdout, stderr } = await kedge(['sequencer', '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: kedge sequencer/)
    expect(stdout).toContain('--api-port <N>')
    expect(stdout).toContain('its port; 0 takes a free one (default: 8780)')
    expect(stdout).toContain("the network's parameters, params.json (required)")
  })

  test('what a regtest network can be asked for stands in the help', () => {
    const [mine, reorg, fund] = ['regtest mine', 'regtest reorg', 'regtest fund'].map((wanted) =>
      everyCommand(program).flatMap(([name, command]) => (name === wanted ? [helpOf(command)] : [])),
    )
    expect(mine).toMatchObject([expect.stringContaining('1 to 1000')])
    expect(reorg).toMatchObject([expect.stringContaining('1 to 100')])
    expect(fund).toMatchObject([expect.stringContaining('330sat to 10btc')])
  })

  test('the version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await kedge(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })
})

test.each([
  ['help', ['--help'], []],
  ['a command on a wallet', ['wallet', 'balance', '--wallet', '/nowhere/w.json'], ['wallet']],
  ['a command on a node', ['sequencer', '--config', '/nowhere.toml'], ['sequencer']],
  ['a command on a regtest network', ['regtest', 'mine', '--data', '/nowhere'], ['regtest']],
])('%s loads nothing that only nodes need, nor other commands', async (_, args, commands) => {
  const { stderr } = await kedge(args, { environment: { NODE_OPTIONS: `--import ${LOADED}` } })
  const loaded = stderr.split('\n').filter((line) => line.startsWith('file:'))
  expect(loaded).toContainEqual(expect.stringContaining('/packages/cli/dist/program.js'))
  const ofNodes = /\/packages\/(?:node|sequencer|challenger|p2p|storage|signatures|commitment)\/|\/(?:@?libp2p|hono)\//
  expect(loaded.filter((url) => ofNodes.test(url))).toEqual([])
  const called = loaded.flatMap((url) => /\/cli\/dist\/commands\/([a-z]+)\.js$/.exec(url)?.[1] ?? [])
  if (commands.length > 0) expect(called).toEqual(commands)
  if (commands.length > 0 && !commands.includes('wallet'))
    expect(loaded.filter((url) => url.includes('/packages/wallet/'))).toEqual([])
})

describe('what is asked wrongly: exit status 2, and what is wrong', () => {
  test.concurrent.each([
    [['conjure'], "unknown command 'conjure'"],
    [['sequencer', '--sael-after-ms', '5'], "unknown option '--sael-after-ms'"],
    [['sequencer'], 'params is not set'],
    [['sequencer', '--workers', 'many'], '--workers: must be a whole number from 1 to 64'],
    [['sequencer', '--config', '/nowhere.toml'], '/nowhere.toml: cannot be read'],
    [['wallet', 'send', 'ab', '5'], 'Write a number and its unit'],
    [['wallet', 'send', 'ab', '-5sat'], "-5sat: an amount can't be negative"],
    [['wallet', 'deposit', '21000001btc'], 'There are never more than 21,000,000 bitcoin.'],
    [['wallet', 'verify-receipt', 'x', '--params', MANIFEST], `${MANIFEST}: these are no parameters of a network: `],
    [['wallet', 'send', 'ab'], "missing required argument 'AMOUNT'"],
    [['wallet', 'deposit', '5msat'], 'only whole satoshis'],
    [['wallet', 'deposit', '5000sat', '--fee-rate', 'fast'], 'It must be sat/vB'],
    [['wallet', 'history', '--before', '12'], 'It must be a batch and an index'],
    [['wallet', 'balance', '--node', 'localhost'], '--node: must be an http or https URL'],
    [['wallet', 'receipt', 'ab'], "required option '--out <FILE>' not specified"],
    [['wallet', 'verify-receipt', 'x'], 'params is not set'],
    [['wallet', 'verify-proof', 'x', '--checkpoint', '5'], 'It must be a height and a block hash'],
    [['keys', 'new', 'x', '--role', 'miner'], 'Allowed choices are sequencer, challenger, watcher'],
    [['bond', 'slash', '--evidence', 'a'], "required option '--to <ADDRESS>' not specified"],
    [['bond', 'setup', '--value', '5'], 'Write a number and its unit'],
    [['bond', 'setup'], 'params is not set'],
    [['regtest', 'mine', '-1'], 'It must be a whole number from 1 to 1000'],
    [['regtest', 'mine', '5000'], 'It must be a whole number from 1 to 1000'],
    [['regtest', 'reorg', '200'], 'It must be a whole number from 1 to 100'],
    [['regtest', 'reorg', '5000'], 'It must be a whole number from 1 to 100'],
    [['regtest', 'fund', ADDRESS, '1sat'], 'It must be from 330 sat to 1,000,000,000 sat'],
    [['regtest', 'fund', ADDRESS, '21000000btc'], 'It must be from 330 sat to 1,000,000,000 sat'],
    [['regtest', 'fund', 'foo', '1000sat'], 'It must be a Bitcoin address on regtest'],
    [['wallet', 'refund', 'abc'], "It must be a transaction's id: 64 hex digits"],
    [['wallet', 'status', 'zz'], "It must be a payment's id: 64 hex digits"],
    [['wallet', 'proof', 'zz', '--out', 'x'], "It must be a payment's id: 64 hex digits"],
    [['regtest', 'mine', '--data', '/nowhere'], 'no regtest network runs in /nowhere'],
  ])('%j', async (args, reason) => {
    const { code, stdout, stderr } = await kedge(args)
    expect(stderr).toContain(reason)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toMatch(/[{[]\s*"/)
  })

  test('a variable that nothing knows', async () => {
    const ran = await kedge(['wallet', 'balance'], { environment: { KEDGE_WALET: 'a.json' } })
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('KEDGE_WALET: unknown variable') })
  })
})

describe('a node does not start', () => {
  const configured = (chain: 'signet' | 'regtest', keys = KEYS, more = '') => {
    const folder = freshFolder()
    folder.file('params.json', paramsText(chain))
    folder.file('keys.json', keys)
    const toml = `params = "params.json"\nkeys = "keys.json"\ndata = "data"\nbitcoin.url = "http://127.0.0.1:1"\nbitcoin.cookie-file = "cookie"\n${more}`
    return folder.file('kedge.toml', toml)
  }

  test.each(['sequencer', 'challenger'])('%s: off regtest, unless told to; it says why', async (role) => {
    const { code, stderr } = await kedge([role, '--config', configured('signet')])
    expect(code).toBe(2)
    expect(stderr).toContain('this network lives on signet')
    expect(stderr).toContain('t of them together can take it')
    expect(stderr).toContain('audited')
    expect(stderr).toContain('--allow-off-regtest')
  })

  test.each(['sequencer', 'challenger'])('%s: told to, it tries, and fails for a reason', async (role) => {
    const { code, stdout, stderr } = await kedge([role, '--config', configured('signet'), '--allow-off-regtest'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^kedge: bitcoind does not answer: no cookie at [^\n]+\n$/)
  })

  test('a sequencer with a challenger’s keys, or with those of another network', async () => {
    const { peer, coins, slot } = JSON.parse(KEYS) as Record<string, string>
    const lacking = await kedge(['sequencer', '--config', configured('regtest', JSON.stringify({ peer, coins }))])
    expect(lacking).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("a sequencer's have anchor and slot too"),
    })
    const foreign = await kedge([
      'sequencer',
      '--config',
      configured('regtest', JSON.stringify({ peer, coins, slot, anchor: '07'.repeat(32) })),
    ])
    expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('anchor is not the key that') })
  })

  test('a watcher whose key holds no part of this vault', async () => {
    const { peer, coins } = JSON.parse(KEYS) as Record<string, string>
    const configOf = (watcher: string) => configured('regtest', JSON.stringify({ peer, coins, watcher }))
    const foreign = await kedge(['challenger', '--config', configOf('07'.repeat(32))])
    expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('watcher is none of the keys that') })
    const own = await kedge(['challenger', '--config', configOf('04'.repeat(32))])
    expect(own.stderr).toMatch(/^kedge: bitcoind does not answer/)
  })

  test('with two ways to log in to bitcoind', async () => {
    const { code, stderr } = await kedge(['challenger', '--config', configured('regtest', KEYS, 'bitcoin.user = "me"')])
    expect(stderr).toContain('either bitcoin.cookie-file, or bitcoin.user and bitcoin.password')
    expect(code).toBe(2)
  })
})

test('keys new and show', async () => {
  const file = join(freshFolder().path, 'keys.json')
  const made = await kedge(['keys', 'new', file, '--role', 'sequencer'])
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(Object.keys(JSON.parse(made.stdout) as object)).toEqual(['coins', 'anchor', 'slot', 'bond', 'return'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await kedge(['keys', 'show', file])).stdout).toBe(made.stdout)
  expect(await kedge(['keys', 'new', file])).toMatchObject({ code: 2, stderr: expect.stringContaining('EEXIST') })
})

describe('a wallet without a node', () => {
  test('is restored from words on standard input, and says its addresses', async () => {
    const folder = freshFolder()
    const params = folder.file('params.json', paramsText('regtest'))
    const wallet = join(folder.path, 'wallet.json')
    const restored = await kedge(['wallet', 'restore', '--wallet', wallet, '--params', params, '--json'], {
      input: ` ${WORDS.toUpperCase()}\n`,
    })
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    const { words, addresses } = JSON.parse(restored.stdout) as { words: string; addresses: { bitcoin: string } }
    expect(words).toBe(WORDS)
    expect(addresses.bitcoin).toMatch(/^bcrt1p/)
    const asked = await kedge(['wallet', 'address', '--json'], { environment: { KEDGE_WALLET: wallet } })
    expect(JSON.parse(asked.stdout)).toEqual(addresses)
    expect(statSync(wallet).mode & 0o777).toBe(0o600)
  })

  test('is created with words, and never over another', async () => {
    const folder = freshFolder()
    const args = [
      'wallet',
      'create',
      '--wallet',
      join(folder.path, 'wallet.json'),
      '--params',
      folder.file('params.json', paramsText('regtest')),
    ]
    expect((await kedge(args)).stdout).toMatch(/words {4}([a-z]+ ){11}[a-z]+\n\nWrite the words down/)
    const again = await kedge([...args, '--json'])
    expect(again.code).toBe(1)
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'wallet-exists' } })
  })

  test('no words at all', async () => {
    const folder = freshFolder()
    const params = folder.file('params.json', paramsText('regtest'))
    for (const input of ['', '\n', '  \n']) {
      const ran = await kedge(['wallet', 'restore', '--wallet', join(folder.path, 'w'), '--params', params], { input })
      expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/^kedge: No words were read: [^\n]+\n$/) })
    }
  })

  test('words that are none', async () => {
    const folder = freshFolder()
    const params = folder.file('params.json', paramsText('regtest'))
    const ran = await kedge(['wallet', 'restore', '--wallet', join(folder.path, 'w'), '--params', params], {
      input: 'abandon abuot',
    })
    expect(ran).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^kedge: Word 2 is not on the BIP39 list/),
    })
  })

  test('says so when no node answers: in words, and as JSON', async () => {
    const folder = freshFolder()
    const params = folder.file('params.json', paramsText('regtest'))
    const flags = ['--wallet', join(folder.path, 'w'), '--node', 'http://127.0.0.1:1']
    await kedge(['wallet', 'create', '--params', params, ...flags])
    const told = await kedge(['wallet', 'balance', ...flags])
    expect(told).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('kedge: Cannot reach the node at http://127.0.0.1:1'),
    })
    const json = await kedge(['wallet', 'balance', ...flags, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'unreachable' } })
  })

  test('is not there', async () => {
    const { code, stdout } = await kedge(['wallet', 'address', '--wallet', '/nowhere/w.json', '--json'])
    expect({ code, error: JSON.parse(stdout) }).toMatchObject({ code: 1, error: { error: { code: 'no-wallet' } } })
  })
})
