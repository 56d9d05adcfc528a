import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '@kedge/bitcoin'
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseSats, printSats } from '../amount.ts'
import { ConfigError } from '../config-error.ts'
import { answer } from '../output.ts'
import { callRegtest, REGTEST_LIMITS } from '../regtest-control.ts'

/** The harness is no package that is shipped: it comes with the repository. */
const UP = fileURLToPath(new URL('../../../../regtest/dist/up.js', import.meta.url))

interface RegtestOptions {
  readonly data: string
}

export function regtestCommand(): Command {
  return new Command('regtest')
    .description('a whole network on this machine, to try things on')
    .addCommand(upCommand())
    .addCommand(statusCommand())
    .addCommand(mineCommand())
    .addCommand(reorgCommand())
    .addCommand(fundCommand())
    .addHelpText(
      'after',
      `
Examples:
  kedge regtest up --block-seconds 2
  kedge regtest mine 6
  kedge regtest fund bcrt1p… 0.5btc`,
    )
}

function upCommand(): Command {
  return new Command('up')
    .description('bitcoind, a sequencer and challengers, until Ctrl-C; goes on where it was (the same as npm start)')
    .argument('[OPTIONS...]', 'as npm start takes them; kedge regtest up --help lists them')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (options: string[]) => {
      process.exitCode = await runUp(options)
    })
}

function statusCommand(): Command {
  const command = regtestSubcommand('status', "whether a network runs, and where its nodes' APIs are", 'status')
  return command.action(async ({ data }: RegtestOptions) => {
    const status = await callRegtest(data, 'status', {})
    answer(command, status, () => [`runs as process ${status.pid}`, ...status.apis])
  })
}

function mineCommand(): Command {
  const command = regtestSubcommand('mine', 'mine blocks with what waits in the mempool', 'mine 6')
  return command
    .argument('[BLOCKS]', `how many, ${REGTEST_LIMITS.mine.join(' to ')}`, countWithin(REGTEST_LIMITS.mine), 1)
    .action(async (blocks: number, { data }: RegtestOptions) => {
      const mined = await callRegtest(data, 'mine', { blocks })
      answer(command, mined, () => [`mined ${mined.hashes.length}, the last is ${mined.hashes.at(-1)}`])
    })
}

function reorgCommand(): Command {
  const command = regtestSubcommand('reorg', 'replace the newest blocks by one more', 'reorg 3')
  return command
    .argument('<DEPTH>', `how many to replace, ${REGTEST_LIMITS.reorg.join(' to ')}`, countWithin(REGTEST_LIMITS.reorg))
    .action(async (depth: number, { data }: RegtestOptions) => {
      const mined = await callRegtest(data, 'reorg', { depth, blocks: depth + 1 })
      answer(command, mined, () => [`replaced ${depth} by ${mined.hashes.length}, the last is ${mined.hashes.at(-1)}`])
    })
}

function fundCommand(): Command {
  const command = regtestSubcommand(
    'fund',
    'pay bitcoin to an address, from what the network has mined',
    'fund bcrt1p… 0.5btc',
  )
  return command
    .argument('<ADDRESS>', 'a Bitcoin address, such as wallet address prints', parseBitcoinAddress)
    .argument('<AMOUNT>', 'with its unit: 100000sat or 0.5btc; 330sat to 10btc', parseFunding)
    .action(async (to: string, sats: bigint, { data }: RegtestOptions) => {
      const paid = await callRegtest(data, 'fund', { to, sats: Number(sats) })
      answer(command, paid, () => [`paid ${printSats(sats)} to ${to}: ${paid.txid}, in the next block`])
    })
}

function regtestSubcommand(name: string, description: string, example: string): Command {
  const data = new Option('--data <FOLDER>', "the network's data folder")
    .default('kedge-data')
    .env('KEDGE_REGTEST_DATA')
  return new Command(name)
    .description(description)
    .addOption(data)
    .option('--json', 'one JSON value on standard output')
    .addHelpText('after', `\nExample:\n  kedge regtest ${example}`)
}

/** In a process group of its own: a Ctrl-C reaches it once, through us. */
async function runUp(options: readonly string[]): Promise<number> {
  if (!existsSync(UP))
    throw new ConfigError(`there is no ${UP}: a regtest network needs Kedge's repository, built with npm run build`)
  const child = spawn(process.execPath, [UP, ...options], { stdio: 'inherit', detached: true })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

function countWithin([min, max]: readonly [number, number]): (text: string) => number {
  return (text) => {
    const count = Number(text)
    if (!/^[0-9]{1,9}$/.test(text) || count < min || count > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return count
  }
}

function parseFunding(text: string): bigint {
  const [min, max] = REGTEST_LIMITS.fund
  const sats = parseSats(text)
  if (sats < min || sats > max)
    throw new InvalidArgumentError(`It must be from ${printSats(BigInt(min))} to ${printSats(BigInt(max))}.`)
  return sats
}

function parseBitcoinAddress(text: string): string {
  if (!parseAddress(text, 'regtest').ok)
    throw new InvalidArgumentError('It must be a Bitcoin address on regtest, such as bcrt1p…; was it cut short?')
  return text
}
