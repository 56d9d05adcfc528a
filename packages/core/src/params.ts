import { secp256k1 } from '@noble/curves/secp256k1.js'
import { concatBytes, equalBytes, fromHex } from './bytes.ts'
import { Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Outpoint } from './l1.ts'

/**
 * Every number of a network. They hash to the network's id, which each signed message carries, so nothing replays
 * from one network, or one reset of it, on another.
 */
export interface Params {
  readonly chain: BitcoinChain
  /** The output whose spend is link 1 of the anchor chain. */
  readonly genesis: Outpoint
  /** The output that the vault chain begins with: whoever set the network up paid it to the vault script. */
  readonly vault: VaultGenesis
  /** The first Bitcoin block that is read. Nothing below it exists for the ledger. */
  readonly scanHeight: number
  readonly keys: NetworkKeys
  /** All in Bitcoin blocks. */
  readonly windows: Windows
  readonly caps: Caps
  readonly fees: Fees
  /** A network without one asks for no bond: its batches count without. */
  readonly bond?: BondParams
  /** A network without has its data between peers, and on Bitcoin where they are asked for there. */
  readonly data?: DataParams
}

/** What else a network does for its batches' data (see `dataModeOf`). */
export type DataParams =
  /** All operations are published on Bitcoin. */
  | { readonly kind: 'bitcoin' }
  /** Batches of more than `caps.operations`, and of so many operations at most, are vouched for by watchers. */
  | { readonly kind: 'certified'; readonly operations: number }

/** What a network asks of the sequencer's bond. */
export interface BondParams {
  /** The sequencer's share of the bond's key; x-only, as the next. */
  readonly sequencer: Uint8Array
  /** Takes the bond back. */
  readonly return: Uint8Array
  /** T: blocks from the bond's funding to its return. */
  readonly returnDelay: number
  /** Blocks from the bond's funding in which it covers batches. */
  readonly epoch: number
  /** Satoshis. */
  readonly minimum: bigint
  /** How much of a slashed bond is forfeited, and to which script. */
  readonly forfeit: { readonly percent: number; readonly script: Uint8Array }
}

export interface VaultGenesis extends Outpoint {
  /** Satoshis. */
  readonly value: bigint
}

export type BitcoinChain = 'regtest' | 'signet' | 'testnet4' | 'main'

/** x-only keys, 32 bytes each (BIP340). */
export interface NetworkKeys {
  /** Spends the anchor chain's links. */
  readonly anchor: Uint8Array
  /** Signs ticks: the acknowledgements of accepted transfers. */
  readonly slot: Uint8Array
  /** Owns the cells that collected fees go to. */
  readonly fees: Uint8Array
  /** Hold the vault, `threshold` of them together, and take over the anchor chain when its key is lost. */
  readonly watchers: readonly Uint8Array[]
  readonly threshold: number
}

export interface Windows {
  /** k: a batch's origin lies at least this deep below its anchor. */
  readonly originDepth: number
  /** S: and at most this deep. */
  readonly staleness: number
  /** W: for raising a data challenge. */
  readonly challenge: number
  /** C: for answering it. */
  readonly answer: number
  /** P: for a fraud proof after an answer. */
  readonly proof: number
  /** D: the dispute window. */
  readonly dispute: number
  /** X: after this many blocks without a spend the watchers may spend the anchor link. */
  readonly takeover: number
  /** F: an operation that was forced this deep below a batch's origin must stand in the batch. */
  readonly forced: number
  /** E: the chain ends after this many blocks without a live batch. */
  readonly exit: number
  /** R: after this many blocks the depositor may take back a deposit that nobody swept. */
  readonly refund: number
  /** m: a deposit is not swept in the last blocks before that. */
  readonly margin: number
}

export interface Caps {
  /** Operations in one batch. */
  readonly operations: number
  /** Deposits in one batch. */
  readonly deposits: number
  /** Forced operations in one batch. */
  readonly forced: number
  /** Slots for ticks that a batch has: its table of nonce points. A batch whose slots are used up is sealed. */
  readonly ticks: number
  /** q: virtual bytes of answers that a Bitcoin block is expected to carry; challenges queue at this rate. */
  readonly answerVbytesPerBlock: number
}

export interface Fees {
  /** Millisatoshis that each transfer pays at least. */
  readonly transfer: bigint
  /** Millisatoshis more for creating a cell. */
  readonly cell: bigint
  /** Satoshis: smaller outputs are no deposits. */
  readonly minDeposit: bigint
  /** Satoshis that a deposit is credited less than its value: what sweeping it may cost. */
  readonly deposit: bigint
  /** Satoshis: nothing that a payout pays is smaller. */
  readonly dust: bigint
  /** Satoshis: what a withdrawal must allow for its share of the payout's fee. */
  readonly payout: bigint
  /** Satoshis that a data challenge burns. */
  readonly challenge: bigint
}

export const CHAINS: readonly BitcoinChain[] = ['main', 'testnet4', 'signet', 'regtest']
const DATA_KINDS: readonly DataParams['kind'][] = ['bitcoin', 'certified']

/**
 * The largest cap on a batch's operations. Peers send a batch's data as one part of at most `MAX_PART` bytes: one of
 * 2^14 of the longest operations takes 2 + 367 header, 8 start and count, 16,384 · (2 + 183) operations and 2 for no
 * helpers: 3,031,419 bytes. A cap above that of one part would let an honest batch be one that no peer can serve.
 */
export const MAX_OPERATIONS = 2 ** 14

/** Of one that watchers vouch for: it is sent as one part too, so it is four times as much that a node has in memory. */
export const MAX_CERTIFIED_OPERATIONS = 2 ** 16

/**
 * Virtual bytes on Bitcoin for one leaf of what is published, rounded up: published bytes take 0.48 vB each (measured,
 * commit and reveal of 100 kB); the longest operation is 185 bytes with its length, a step root 32.
 */
export const OPERATION_PUBLISHED = 89
export const STEP_ROOT_PUBLISHED = 16

/** A table is made before its batch is opened, at some 0.1 ms a slot. */
const MAX_TICKS = 2 ** 16

/** What is forfeited must leave enough for whoever brings the evidence to pay for it. */
const MAX_PERCENT = 95
/** Core and Knots relay no longer output script, OP_RETURN aside. */
const MAX_SCRIPT = 34
/** Satoshis: what is left of a smaller bond would not pay for its slash. */
const MIN_BOND = 100_000n

/** Regtest's numbers for a bond (rules.md §2.8); what is forfeited is burnt. */
export const regtestBond: Omit<BondParams, 'sequencer' | 'return'> = {
  returnDelay: 150,
  epoch: 100,
  minimum: 1_000_000n,
  // OP_RETURN "forfeited"
  forfeit: { percent: 80, script: fromHex('6a09666f72666569746564') },
}

/** Regtest's windows and caps (rules.md §2.8). */
export const regtestRules: Pick<Params, 'chain' | 'windows' | 'caps' | 'fees'> = {
  chain: 'regtest',
  windows: {
    ...{ originDepth: 1, staleness: 20, challenge: 2, answer: 3, proof: 3, dispute: 6, takeover: 40 },
    // An exit that a person who plays with a network, and mines a hundred blocks at once, does not run into.
    ...{ forced: 2, exit: 288, refund: 80, margin: 21 },
  },
  caps: { operations: 8192, deposits: 1024, forced: 256, ticks: 512, answerVbytesPerBlock: 1_000_000 },
  fees: {
    ...{ transfer: 100n, cell: 10_000n },
    ...{ minDeposit: 1_000n, deposit: 500n, dust: 546n, payout: 100n, challenge: 10_000n },
  },
}

export function networkId(params: Params): Uint8Array {
  return taggedHash('kedge/network', encodeParams(params))
}

function encodeParams(params: Params): Uint8Array {
  const { keys, vault, windows: w, caps, fees } = params
  const writer = new Writer()
    .u8(CHAINS.indexOf(params.chain))
    .hash(params.genesis.txid)
    .u32(params.genesis.vout)
    .hash(vault.txid)
    .u32(vault.vout)
    .u64(vault.value)
    .u32(params.scanHeight)
    .hash(keys.anchor)
    .hash(keys.slot)
    .hash(keys.fees)
    .hashes(keys.watchers)
    .u8(keys.threshold)
  for (const blocks of [w.originDepth, w.staleness, w.challenge, w.answer, w.proof, w.dispute]) writer.u32(blocks)
  for (const blocks of [w.takeover, w.forced, w.exit, w.refund, w.margin]) writer.u32(blocks)
  for (const cap of [caps.operations, caps.deposits, caps.forced, caps.ticks, caps.answerVbytesPerBlock])
    writer.u32(cap)
  for (const fee of [fees.transfer, fees.cell, fees.minDeposit, fees.deposit]) writer.u64(fee)
  writer.u64(fees.dust).u64(fees.payout).u64(fees.challenge)
  // All before it tells its own length, a bond takes 84 bytes and more and data take 5: so networks with and without
  // either can't be taken for each other.
  if (params.bond !== undefined) writeBond(writer, params.bond)
  return (params.data === undefined ? writer : writeData(writer, params.data)).bytes
}

function writeData(writer: Writer, data: DataParams): Writer {
  return writer.u8(1 + DATA_KINDS.indexOf(data.kind)).u32(data.kind === 'certified' ? data.operations : 0)
}

function writeBond(writer: Writer, bond: BondParams): Writer {
  writer.hash(bond.sequencer).hash(bond.return).u32(bond.returnDelay).u32(bond.epoch).u64(bond.minimum)
  return writer.u8(bond.forfeit.percent).sized(bond.forfeit.script)
}

/** Why these parameters cannot be a network's, or undefined. The relations are rules.md §2's. */
export function findParamsFault(params: Params): string | undefined {
  const { windows: w, caps, keys, fees } = params
  const must: readonly (readonly [boolean, string])[] = [
    [w.originDepth >= 1, 'originDepth must be at least 1'],
    [w.staleness > w.originDepth, 'staleness must exceed originDepth'],
    [w.dispute > w.originDepth, 'dispute must exceed originDepth'],
    [w.dispute >= w.challenge + w.proof, 'dispute must be at least challenge + proof'],
    [w.proof > w.challenge, 'proof must exceed challenge'],
    [w.answer >= 1, 'answer must be at least 1'],
    [w.takeover >= 2 * w.staleness && w.takeover <= 65_535, 'takeover must be between 2 × staleness and 65535'],
    [w.exit >= w.takeover + w.staleness, 'exit must be at least takeover + staleness'],
    [w.exit > w.challenge + w.answer + w.staleness, 'exit must exceed challenge + answer + staleness'],
    [w.margin >= w.originDepth + w.staleness, 'margin must be at least originDepth + staleness'],
    [w.refund > w.margin + w.originDepth, 'refund must exceed margin + originDepth'],
    [w.refund <= 65_535, 'refund must be at most 65535'],
    [caps.operations >= 1 && caps.operations <= MAX_OPERATIONS, 'caps.operations must be between 1 and 2^14'],
    [caps.deposits >= 1 && caps.forced >= 1, 'caps.deposits and caps.forced must be at least 1'],
    [caps.deposits + caps.forced <= caps.operations, 'caps.deposits + caps.forced must be at most caps.operations'],
    [caps.ticks >= 1 && caps.ticks <= MAX_TICKS, 'caps.ticks must be between 1 and 2^16'],
    [caps.answerVbytesPerBlock >= 1, 'caps.answerVbytesPerBlock must be at least 1'],
    [keys.watchers.length >= 1 && keys.watchers.length <= 15, 'there must be 1 to 15 watchers'],
    [keys.threshold >= 1 && keys.threshold <= keys.watchers.length, 'threshold must be between 1 and the watchers'],
    [!hasTwins(keys.watchers), 'watchers must differ'],
    [(fees.minDeposit - fees.deposit) * 1000n > fees.cell, 'minDeposit must exceed the deposit fee and the cell fee'],
    [fees.dust >= 546n, 'dust must be at least 546 sat'],
    [params.vault.value >= fees.dust, 'the vault must begin with no less than dust'],
    [fees.challenge >= 330n, 'the challenge payment must be at least 330 sat'],
  ]
  const broken =
    must.find(([holds]) => !holds)?.[1] ??
    (params.bond && findBondParamsFault(params, params.bond)) ??
    (params.data && findDataParamsFault(params, params.data))
  return broken ?? (isOnCurve(keys.anchor) ? undefined : 'keys.anchor must be on the curve')
}

function findDataParamsFault({ caps, windows }: Params, data: DataParams): string | undefined {
  if (data.kind === 'bitcoin')
    return caps.operations * OPERATION_PUBLISHED <= windows.answer * caps.answerVbytesPerBlock
      ? undefined
      : 'what a batch publishes must fit into answer × caps.answerVbytesPerBlock'
  return data.operations > caps.operations && data.operations <= MAX_CERTIFIED_OPERATIONS
    ? undefined
    : 'data.operations must be above caps.operations, and at most 2^16'
}

/** A bond must be there for as long as anything that it answers for can be found. */
function findBondParamsFault({ windows: w, keys }: Params, bond: BondParams): string | undefined {
  const { staleness, challenge, answer, proof } = w
  const { script, percent } = bond.forfeit
  const signers = [keys.slot, bond.sequencer, bond.return, ...keys.watchers]
  const isBurnt = script[0] === 0x6a && script.length <= 83
  const must: readonly (readonly [boolean, string])[] = [
    [signers.every(isOnCurve), 'the keys of slot, bond and watchers must be on the curve'],
    [!hasTwins([keys.anchor, ...signers]), 'the keys of anchor, slot, bond and watchers must differ'],
    [bond.epoch > w.originDepth, 'bond.epoch must exceed originDepth'],
    [
      bond.returnDelay > bond.epoch + staleness + 2 * (challenge + answer) + proof,
      'bond.returnDelay must exceed epoch + staleness + 2 × (challenge + answer) + proof',
    ],
    [bond.returnDelay <= 65_535, 'bond.returnDelay must be at most 65535'],
    [bond.minimum >= MIN_BOND, `bond.minimum must be at least ${MIN_BOND} sat`],
    [percent >= 1 && percent <= MAX_PERCENT, `bond.forfeit.percent must be between 1 and ${MAX_PERCENT}`],
    [isBurnt || (script.length > 0 && script.length <= MAX_SCRIPT), 'bond.forfeit.script must be relayed'],
  ]
  return must.find(([holds]) => !holds)?.[1]
}

/** Without this no script of the anchor chain could be made. */
function isOnCurve(key: Uint8Array): boolean {
  return secp256k1.utils.isValidPublicKey(concatBytes(Uint8Array.of(2), key), true)
}

function hasTwins(keys: readonly Uint8Array[]): boolean {
  return keys.some((key, at) => keys.slice(at + 1).some((other) => equalBytes(key, other)))
}
