import { publicKeyOf } from '@kedge/bitcoin'
import type { ChallengerOptions } from '@kedge/challenger'
import { equalBytes, type Params, paramsFromJson } from '@kedge/core'
import type { NodeOptions } from '@kedge/node'
import type { SequencerOptions } from '@kedge/sequencer'
import { type Logger, pino } from 'pino'
import { ConfigError } from './config-error.ts'
import { type Keys, readKeys } from './keys-file.ts'
import { type NodeConfig, rpcAt, type SequencerConfig } from './settings.ts'
import { readText } from './text-file.ts'

/** What a challenger is started with; one whose keys have a watcher's is a watcher. @throws ConfigError naming what to mend. */
export function challengerOptions(config: NodeConfig): ChallengerOptions {
  const keys = readKeys(config.keys)
  const { watcher } = keys
  const options = nodeOptions(config, 'challenger', keys)
  if (watcher === undefined) return options
  if (!options.params.keys.watchers.some((key) => equalBytes(key, publicKeyOf(watcher))))
    throw new ConfigError(`${config.keys}: watcher is none of the keys that ${config.params} names as keys.watchers`)
  return { ...options, secrets: { ...options.secrets, watcher } }
}

/** What a sequencer is started with. @throws ConfigError naming what to mend. */
export function sequencerOptions(config: SequencerConfig): SequencerOptions {
  const keys = readKeys(config.keys)
  const { anchor, slot } = keys
  if (anchor === undefined || slot === undefined)
    throw new ConfigError(`${config.keys}: these are a challenger's keys; a sequencer's have anchor and slot too`)
  const options = nodeOptions(config, 'sequencer', keys)
  for (const [name, secret] of Object.entries({ anchor, slot })) {
    if (!equalBytes(publicKeyOf(secret), options.params.keys[name as 'anchor' | 'slot']))
      throw new ConfigError(`${config.keys}: ${name} is not the key that ${config.params} names as keys.${name}`)
  }
  const secrets = { ...options.secrets, anchor, slot }
  const { 'seal-after-ms': sealAfterMs, 'sign-alone': signAlone } = config
  return { ...options, secrets, tally: `${config.keys}.slots`, sealAfterMs, signAlone }
}

function nodeOptions(config: NodeConfig, role: string, { peer, coins }: Keys): NodeOptions {
  const params = readParams(config.params)
  if (params.chain !== 'regtest' && !config['allow-off-regtest']) throw new OffRegtestError(params.chain)
  return {
    params,
    dataDir: config.data,
    rpc: rpcAt(config['bitcoin.url'], config),
    p2p: { listen: config['p2p.listen'], bootstrap: config['p2p.bootstrap'] },
    api: { host: config['api.host'], port: config['api.port'], origins: config['api.origins'] },
    secrets: { peer, coins },
    workers: config.workers,
    maxFeeRate: config['max-fee-rate'],
    log: openLog(config['log-level'], role),
  }
}

/** JSON lines on standard error, written at once: what ends a process is the line that matters most. */
function openLog(level: string, role: string): Logger {
  return pino({ level, base: { role, pid: process.pid } }, pino.destination({ fd: 2, sync: true }))
}

/** A network's parameters, as `paramsToJson` writes them. @throws ConfigError */
export function readParams(file: string): Params {
  const text = readText(file)
  try {
    return paramsFromJson(JSON.parse(text))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'it is not JSON' : cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(
      `${file}: these are no parameters of a network: ${why}. They stand in the network's params.json; whoever runs one of its nodes has it.`,
      { cause },
    )
  }
}

/** Why a node does not start where money is at stake. */
class OffRegtestError extends ConfigError {
  constructor(chain: string) {
    super(
      [
        `this network lives on ${chain}, and Kedge is not ready for money:`,
        '- what is deposited is held by t of n watchers: t of them together can take it, and no script stops them;',
        '- a sequencer that lies loses its batch, and a stake only where the network asks for a bond, tried on regtest alone;',
        '- nobody independent has audited the code.',
        'To start all the same, say so: --allow-off-regtest, KEDGE_ALLOW_OFF_REGTEST=true, or allow-off-regtest = true in the file.',
      ].join('\n'),
    )
  }
}
