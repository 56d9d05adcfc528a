import { fromHex, isHex, toHex } from './bytes.ts'
import {
  type BitcoinChain,
  type BondParams,
  type Caps,
  CHAINS,
  type DataParams,
  type Fees,
  findParamsFault,
  type Params,
  regtestRules,
  type Windows,
} from './params.ts'

/** Parameters as JSON holds them: hex for bytes, decimal strings for amounts. */
export function paramsToJson(params: Params): unknown {
  return {
    chain: params.chain,
    genesis: { txid: toHex(params.genesis.txid), vout: params.genesis.vout },
    vault: { txid: toHex(params.vault.txid), vout: params.vault.vout, value: String(params.vault.value) },
    scanHeight: params.scanHeight,
    keys: {
      anchor: toHex(params.keys.anchor),
      slot: toHex(params.keys.slot),
      fees: toHex(params.keys.fees),
      watchers: params.keys.watchers.map(toHex),
      threshold: params.keys.threshold,
    },
    windows: { ...params.windows },
    caps: { ...params.caps },
    fees: Object.fromEntries(Object.entries(params.fees).map(([name, value]) => [name, String(value)])),
    ...(params.bond && { bond: bondToJson(params.bond) }),
    ...(params.data && { data: { ...params.data } }),
  }
}

function bondToJson(bond: BondParams): unknown {
  return {
    sequencer: toHex(bond.sequencer),
    return: toHex(bond.return),
    returnDelay: bond.returnDelay,
    epoch: bond.epoch,
    minimum: String(bond.minimum),
    forfeit: { percent: bond.forfeit.percent, script: toHex(bond.forfeit.script) },
  }
}

function bondFromJson(json: unknown): BondParams {
  const bond = fields(json, 'bond', ['sequencer', 'return', 'returnDelay', 'epoch', 'minimum', 'forfeit'])
  const forfeit = fields(bond.forfeit, 'bond.forfeit', ['percent', 'script'])
  return {
    sequencer: hash(bond.sequencer, 'bond.sequencer'),
    return: hash(bond.return, 'bond.return'),
    returnDelay: count(bond.returnDelay, 'bond.returnDelay'),
    epoch: count(bond.epoch, 'bond.epoch'),
    minimum: amount(bond.minimum, 'bond.minimum'),
    forfeit: {
      percent: count(forfeit.percent, 'bond.forfeit.percent'),
      script: script(forfeit.script, 'bond.forfeit.script'),
    },
  }
}

function dataFromJson(json: unknown): DataParams {
  const { kind, operations } = fields(json, 'data', has(json, 'operations') ? ['kind', 'operations'] : ['kind'])
  if (kind === 'certified' && operations !== undefined)
    return { kind, operations: count(operations, 'data.operations') }
  if (kind === 'bitcoin' && operations === undefined) return { kind }
  throw new Error('params: data.kind must be bitcoin, or certified with data.operations')
}

/** @throws Error naming the key that is missing, unknown or out of shape. */
export function paramsFromJson(json: unknown): Params {
  const names = ['chain', 'genesis', 'vault', 'scanHeight', 'keys', 'windows', 'caps', 'fees']
  const top = fields(json, 'params', [...names, ...OPTIONAL.filter((name) => has(json, name))])
  const genesis = fields(top.genesis, 'genesis', ['txid', 'vout'])
  const vault = fields(top.vault, 'vault', ['txid', 'vout', 'value'])
  const keys = fields(top.keys, 'keys', ['anchor', 'slot', 'fees', 'watchers', 'threshold'])
  if (!CHAINS.includes(top.chain as BitcoinChain)) throw new Error(`params: chain must be one of ${CHAINS.join(', ')}`)
  if (!Array.isArray(keys.watchers)) throw new Error('params: keys.watchers must be a list')
  const params: Params = {
    chain: top.chain as BitcoinChain,
    genesis: { txid: hash(genesis.txid, 'genesis.txid'), vout: count(genesis.vout, 'genesis.vout') },
    vault: {
      txid: hash(vault.txid, 'vault.txid'),
      vout: count(vault.vout, 'vault.vout'),
      value: amount(vault.value, 'vault.value'),
    },
    scanHeight: count(top.scanHeight, 'scanHeight'),
    keys: {
      anchor: hash(keys.anchor, 'keys.anchor'),
      slot: hash(keys.slot, 'keys.slot'),
      fees: hash(keys.fees, 'keys.fees'),
      watchers: keys.watchers.map((key, at) => hash(key, `keys.watchers[${at}]`)),
      threshold: count(keys.threshold, 'keys.threshold'),
    },
    windows: counts(top.windows, 'windows', Object.keys(regtestRules.windows)) as unknown as Windows,
    caps: counts(top.caps, 'caps', Object.keys(regtestRules.caps)) as unknown as Caps,
    fees: amounts(top.fees, 'fees', Object.keys(regtestRules.fees)) as unknown as Fees,
    ...('bond' in top && { bond: bondFromJson(top.bond) }),
    ...('data' in top && { data: dataFromJson(top.data) }),
  }
  const fault = findParamsFault(params)
  if (fault !== undefined) throw new Error(`params: ${fault}`)
  return params
}

const OPTIONAL = ['bond', 'data']

function has(json: unknown, name: string): boolean {
  return typeof json === 'object' && json !== null && name in json
}

function fields(json: unknown, at: string, names: readonly string[]): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new Error(`params: ${at} must be an object`)
  const unknown = Object.keys(json).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`params: unknown key ${at}.${unknown}`)
  const missing = names.find((name) => !(name in json))
  if (missing !== undefined) throw new Error(`params: ${at}.${missing} is missing`)
  return json as Record<string, unknown>
}

function counts(json: unknown, at: string, names: readonly string[]): Record<string, number> {
  const record = fields(json, at, names)
  return Object.fromEntries(names.map((name) => [name, count(record[name], `${at}.${name}`)]))
}

function amounts(json: unknown, at: string, names: readonly string[]): Record<string, bigint> {
  const record = fields(json, at, names)
  return Object.fromEntries(names.map((name) => [name, amount(record[name], `${at}.${name}`)]))
}

function count(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new Error(`params: ${at} must be a u32`)
  return value
}

function amount(value: unknown, at: string): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,18})$/.test(value))
    throw new Error(`params: ${at} must be a decimal string`)
  return BigInt(value)
}

function hash(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string' || !isHex(value, 32))
    throw new Error(`params: ${at} must be 32 bytes of lower-case hex`)
  return fromHex(value)
}

function script(value: unknown, at: string): Uint8Array {
  if (typeof value !== 'string' || !/^([0-9a-f]{2}){1,100}$/.test(value))
    throw new Error(`params: ${at} must be 1 to 100 bytes of lower-case hex`)
  return fromHex(value)
}
