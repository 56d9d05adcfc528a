import type { Client } from '@kedge/api'
import {
  buildDeposit,
  buildPayment,
  coinKey,
  type Funding,
  publicKeyOf,
  sendTransaction,
  signHash,
} from '@kedge/bitcoin'
import { encodeTransfer, networkId, type Params, sha256, toHex, transferMessage } from '@kedge/core'
import type { Bitcoind } from '../bitcoind.ts'
import type { RegtestNetwork } from '../network.ts'

/** Somebody with a key of the rollup, and no file to keep it in. */
export interface Payer {
  readonly secret: Uint8Array
  readonly key: Uint8Array
  /** Hex. */
  readonly name: string
  /** Known once the first deposit is credited. */
  cell: number
  nonce: bigint
}

export interface Signed {
  readonly id: string
  readonly bytes: Uint8Array
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly fee: bigint
}

/** Sat/vB, and satoshis on top of a deposit to pay for its transaction. */
const FEE_RATE = 3
const ON_TOP = 5_000n

/** So many payers, each with its own key and one deposit that is credited on every node. */
export async function gather(
  network: RegtestNetwork,
  count: number,
  sats: bigint,
  label = 'payer',
): Promise<readonly Payer[]> {
  const payers = Array.from({ length: count }, (_, at) => makePayer(`${label} ${at}`, network.params))
  for (const { key } of payers) await depositTo(network.bitcoind, network.params, key, sats)
  await mineUntilCredited(network, payers)
  return payers
}

/** A deposit, in the mempool. */
export async function depositTo(bitcoind: Bitcoind, params: Params, key: Uint8Array, sats: bigint): Promise<void> {
  const funding = await fundFor(bitcoind, key, sats)
  await send(bitcoind, buildDeposit(params, { key, refundKey: funding.key.publicKey }, sats, funding).raw)
}

/** A deposit and a transaction that spends the same coin for nothing: at most one of the two is ever mined. */
export async function makeRivals(bitcoind: Bitcoind, params: Params, key: Uint8Array, sats: bigint) {
  const funding = await fundFor(bitcoind, key, sats)
  const deposit = buildDeposit(params, { key, refundKey: funding.key.publicKey }, sats, funding)
  const rival = buildPayment([{ script: funding.key.script, value: sats }], funding)
  return { deposit: deposit.raw, rival: rival.raw }
}

export async function send(bitcoind: Bitcoind, raw: Uint8Array): Promise<void> {
  const sent = await sendTransaction(bitcoind.rpc, raw, 0n)
  if (!sent.ok) throw new Error(`a transaction was refused: ${sent.detail}`)
}

async function fundFor(bitcoind: Bitcoind, key: Uint8Array, sats: bigint): Promise<Funding> {
  const owner = coinKey(sha256(key))
  const value = sats + ON_TOP
  const outpoint = await bitcoind.fund(owner.script, value)
  return { key: owner, coins: [{ outpoint, value, height: undefined, coinbase: false }], feeRate: FEE_RATE }
}

export function makePayer(label: string, params: Params): Payer {
  const secret = sha256(new TextEncoder().encode(`${label} of ${toHex(networkId(params))}`))
  const key = publicKeyOf(secret)
  return { secret, key, name: toHex(key), cell: -1, nonce: 0n }
}

/** The payer's next transfer. Its nonce counts as used only when `payer.nonce` is raised. */
export function signNext(params: Params, payer: Payer, to: Payer, amount: bigint): Signed {
  const network = networkId(params)
  const fee = params.fees.transfer
  const unsigned = {
    kind: 'transfer',
    from: payer.cell,
    nonce: payer.nonce,
    to: to.key,
    toCell: to.cell,
    mayCreate: false,
    amount,
    fee,
    expiry: 0xffffffff,
    memo: new Uint8Array(32),
  } as const
  const message = transferMessage(network, unsigned)
  const bytes = encodeTransfer({ ...unsigned, signature: signHash(message, payer.secret) })
  return { id: toHex(message), bytes, from: payer.name, to: to.name, amount, fee }
}

export async function mineUntilCredited(network: RegtestNetwork, payers: readonly Payer[]): Promise<void> {
  await network.waitFor({ until: 'all deposits are credited', withinMs: 60_000 }, async (note) => {
    await network.mine()
    for (const { client, name } of network.running) {
      const credited = await areCredited(client, payers)
      note(`${credited} of ${payers.length} on ${name}`)
      if (credited < payers.length) return undefined
    }
    return true
  })
}

async function areCredited(client: Client, payers: readonly Payer[]): Promise<number> {
  const accounts = await Promise.all(payers.map(({ name }) => client.account({ key: name })))
  return accounts.filter(({ cells }, at) => {
    const [cell] = cells
    if (cell !== undefined) (payers[at] as Payer).cell = cell.cell
    return cell !== undefined
  }).length
}
