import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { RpcUnreachableError } from '@kedge/bitcoin'
import { type DataMode, type DataParams, regtestBond } from '@kedge/core'
import { isFree } from './bitcoind.ts'
import { openControl } from './control.ts'
import { readParams, writeWalletConfig } from './layout.ts'
import { clearLeftovers } from './leftover.ts'
import { RegtestNetwork } from './network.ts'
import { fundOperator, operatorArgs, setUpBond } from './operator.ts'
import { readUsage, UsageError } from './usage.ts'

const HELP = `npm start -- [OPTIONS]     or: kedge regtest up [OPTIONS]

A whole network on this machine, until Ctrl-C: bitcoind, a sequencer and challengers. It goes on where it was. Where one
of them ends by itself it stops the others, says which one, and where its log is.

  --data FOLDER         everything it keeps (KEDGE_REGTEST_DATA; default kedge-data)
  --block-seconds N     mines a block every N seconds, 0 none (KEDGE_REGTEST_BLOCK_SECONDS; default 5)
  --challengers N       how many (KEDGE_REGTEST_CHALLENGERS; default 2); the first two hold the vault
  --bond                a new network asks for a bond, and its operator stakes one; there are 3 challengers then, or more
  --mode MODE           how a new network's batch data can be had: challenge (the default), bitcoin or certified
  --api-port N          port of the sequencer's API, the challengers' follow it (KEDGE_REGTEST_API_PORT; default 8780)
  --help

Examples:
  npm start
  npm start -- --block-seconds 1
  KEDGE_REGTEST_DATA=/tmp/try npm start
`

interface UpOptions {
  readonly data: string
  readonly blockSeconds: number
  readonly challengers: number
  readonly apiPort: number
  readonly bond: boolean
  /** Undefined where none was asked for. */
  readonly mode: DataMode | undefined
}

/** @throws TypeError or RangeError naming the flag or variable that is wrong. */
function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): UpOptions | 'help' {
  const text = { type: 'string' } as const
  const options = {
    data: text,
    'block-seconds': text,
    challengers: text,
    'api-port': text,
    bond: { type: 'boolean' },
    mode: text,
    help: { type: 'boolean' },
  } as const
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) return 'help'
  const number = (
    name: 'block-seconds' | 'challengers' | 'api-port',
    fallback: number,
    [min, max]: readonly [number, number],
  ) => {
    const variable = `KEDGE_REGTEST_${name.replace('-', '_').toUpperCase()}`
    const given = values[name] ?? environment[variable] ?? String(fallback)
    const value = Number(given)
    if (given.trim() === '' || !(value >= min && value <= max))
      throw new RangeError(`--${name} (or ${variable}) must be a number from ${min} to ${max}, not ${given}`)
    return value
  }
  const data = resolve(values.data ?? environment.KEDGE_REGTEST_DATA ?? 'kedge-data')
  // All who signed for a bond have to be there when the next one is set up.
  const isBonded = values.bond === true || readParams(data)?.bond !== undefined
  return {
    data,
    blockSeconds: number('block-seconds', 5, [0, 3600]),
    challengers: Math.floor(number('challengers', isBonded ? 3 : 2, [isBonded ? 3 : 1, 20])),
    apiPort: Math.floor(number('api-port', 8780, [1, 65_000])),
    bond: values.bond === true,
    mode: values.mode === undefined ? undefined : modeOf(values.mode),
  }
}

function modeOf(name: string): DataMode {
  const mode = MODES.find((known) => known === name)
  if (mode === undefined) throw new RangeError(`--mode must be one of ${MODES.join(', ')}, not ${name}`)
  return mode
}

const MODES: readonly DataMode[] = ['challenge', 'bitcoin', 'certified']

/** Certified batches hold eight times what others do. */
const CERTIFIED_OPERATIONS = 2 ** 16

/** Resolves at the first signal; a second one ends the process. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(1)
      console.log('stopping ...')
      stopping.abort()
    })
  }
  return stopping.signal
}

/** Nobody who plays with a network, and mines hundreds of blocks, comes to the end of it. */
const LONG_BOND = { ...regtestBond, epoch: 20_000, returnDelay: 20_100 }

async function up(
  { data, blockSeconds, challengers, apiPort, bond, mode }: UpOptions,
  signal: AbortSignal,
): Promise<void> {
  refuseOtherMode(data, mode)
  await clearLeftovers(data)
  for (let at = 0; at <= challengers; at++) await expectFree(apiPort + at)
  console.log(`a network in ${data}: bitcoind, a sequencer and ${challengers} challengers`)
  const onProgress = (text: string) => console.log(`  ${text} ...`)
  const network = await RegtestNetwork.start({
    ...{ folder: data, challengers, apiPort, sealAfterMs: 1000, onProgress },
    ...(bond && { bond: LONG_BOND }),
    ...(mode !== undefined && mode !== 'challenge' && { rules: { data: dataOf(mode) } }),
  })
  const control = await openControl(network)
  try {
    await stake(network, onProgress)
    console.log(describe(network, blockSeconds))
    await mineUntil(network, blockSeconds, signal)
  } finally {
    await control.close()
    await network.stop()
  }
  console.log('stopped; the next start goes on from here')
}

/** What a network began with stays. @throws UsageError */
function refuseOtherMode(folder: string, asked: DataMode | undefined): void {
  const params = readParams(folder)
  const has = params && (params.data?.kind ?? 'challenge')
  if (asked === undefined || has === undefined || has === asked) return
  throw new UsageError(
    `the network in ${folder} has the mode ${has}, and keeps it: start one of mode ${asked} elsewhere, with --data FOLDER, or delete ${folder}`,
  )
}

/** @throws UsageError naming the port, and what chooses another */
async function expectFree(port: number): Promise<void> {
  if (await isFree(port)) return
  throw new UsageError(
    `port ${port} is in use by another program: choose others with --api-port N or KEDGE_REGTEST_API_PORT (the sequencer's API; the challengers' follow it)`,
  )
}

function dataOf(mode: 'bitcoin' | 'certified'): DataParams {
  return mode === 'bitcoin' ? { kind: mode } : { kind: mode, operations: CERTIFIED_OPERATIONS }
}

/** Where the network asks for a bond and none covers a batch, nothing else would count. */
async function stake(network: RegtestNetwork, note: (text: string) => void): Promise<void> {
  const { covered, bonds } = await network.sequencer.client.bonds({})
  // Watchers sign no other for a sequencer that has lost one.
  if (covered || bonds.some(({ end }) => end?.outcome === 'slashed' || end?.outcome === 'frozen')) return
  note('the operator stakes a bond')
  await fundOperator(network)
  await setUpBond(network)
}

async function mineUntil(network: RegtestNetwork, blockSeconds: number, signal: AbortSignal): Promise<void> {
  let misses = 0
  while (!signal.aborted) {
    await pause(blockSeconds === 0 ? 1000 : blockSeconds * 1000, signal)
    network.check()
    if (blockSeconds === 0 || signal.aborted) continue
    const why = await mineOne(network)
    misses = why === undefined ? 0 : misses + 1
    // One call may be lost by chance.
    if (misses > 1) console.log(`bitcoind does not answer (${why}): trying again, until Ctrl-C`)
  }
}

/** Why it was in vain, where bitcoind can't be reached for now. */
async function mineOne(network: RegtestNetwork): Promise<string | undefined> {
  try {
    await network.bitcoind.mine(1)
    return undefined
  } catch (error) {
    // A call to a bitcoind that has just died fails before its death is known.
    if (!(error instanceof RpcUnreachableError)) throw error
    await sleep(500)
    network.check()
    return error.message
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** As somebody in the working directory would type it. */
function shortened(path: string): string {
  const short = relative('', path)
  return short.startsWith('..') ? path : short
}

function describe(network: RegtestNetwork, blockSeconds: number): string {
  const config = shortened(writeWalletConfig(network.folder, network.sequencer.ready.api, network.bitcoind.rpc))
  const wallet = (rest: string, name = 'alice') =>
    `  npm run kedge -- wallet ${rest} --config ${config} --wallet ${join(shortened(network.folder), `${name}.json`)}`
  const data = network.folder === resolve('kedge-data') ? '' : ` --data ${network.folder}`
  const nodes = network.nodes.map(
    ({ name, ready }) =>
      `  ${name.padEnd(14)} ${ready.api}   ${ready.addresses[0]}\n${' '.repeat(17)}fees from ${ready.fundingAddress}, log in ${join(network.folder, name, 'log.jsonl')}`,
  )
  return `
The network runs${blockSeconds > 0 ? `, with a block every ${blockSeconds} s` : ''}. Its nodes, their HTTP APIs and peer addresses:
${nodes.join('\n')}
  bitcoind       ${network.bitcoind.rpc.url}

To try, in another terminal:
${wallet('create')}
${wallet('create', 'bob')}
  npm run kedge -- regtest fund <alice's bitcoin address> 0.01btc${data}
${wallet('deposit 500000sat')}   # when the next block holds what was funded
${wallet('balance')}   # credited some blocks later
${wallet("send <bob's rollup address> 1500sat --memo lunch")}
${wallet('status <payment>')}
${wallet('history', 'bob')}
  npm run kedge -- regtest mine 6${data}
  npm run kedge -- regtest reorg 2${data}
${bondHints(network)}  curl ${network.sequencer.ready.api}/health

Ctrl-C stops it; npm start goes on from there.`
}

function bondHints(network: RegtestNetwork): string {
  if (network.params.bond === undefined) return ''
  const operator = operatorArgs(network).map((arg) =>
    arg.startsWith('/') && arg.endsWith('.toml') ? shortened(arg) : arg,
  )
  return `  npm run kedge -- bond status --node ${network.sequencer.ready.api}
  npm run kedge -- bond setup ${operator.join(' ')}
`
}

try {
  const options = readUsage(() => readOptions(process.argv.slice(2), process.env))
  if (options === 'help') console.log(HELP)
  else await up(options, stopSignal())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
