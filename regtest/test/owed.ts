import { type Rpc, readBlock, readBlockHash, readRawBlock, readTip } from '@kedge/bitcoin'
import {
  equalBytes,
  findVaultInput,
  fromHex,
  genesisVault,
  type L1Output,
  type L1Transaction,
  type Params,
  readForced,
  sha256,
  spendVault,
  taprootScript,
  type Vault,
} from '@kedge/core'
import { expect } from 'vitest'
import type { Payer } from '../src/chaos/crowd.ts'
import { force, signWithdrawal } from '../src/force.ts'
import type { RegtestNetwork } from '../src/network.ts'

/** Somebody's withdrawal, by force, and how it is looked for on Bitcoin. */

export interface Owed {
  readonly script: Uint8Array
  readonly amount: bigint
  readonly payoutFee: bigint
}

let scripts = 0

/** A script that nothing else pays to. */
function freshScript(): Uint8Array {
  scripts += 1
  return taprootScript(sha256(new TextEncoder().encode(`withdrawal ${scripts}`)))
}

/** Publishes a withdrawal, of which nobody has a say. */
export async function withdraw(
  { bitcoind, params }: RegtestNetwork,
  payer: Payer,
  amount: bigint,
  payoutFee: bigint,
): Promise<Owed> {
  const owed = { script: freshScript(), amount, payoutFee }
  await force(bitcoind, params, signWithdrawal(params, { ...owed, from: payer.cell, nonce: payer.nonce }, payer.secret))
  payer.nonce += 1n
  return owed
}

/** All transactions of the best chain, from the network's first block on. */
export async function allMined(rpc: Rpc, from: number): Promise<L1Transaction[]> {
  const { height: tip } = await readTip(rpc)
  const mined: L1Transaction[] = []
  for (let height = from; height <= tip; height++) {
    const hash = await readBlockHash(rpc, height)
    if (hash !== undefined) mined.push(...readBlock(await readRawBlock(rpc, hash), height).transactions)
  }
  return mined
}

/** The vault as Bitcoin alone shows it, without its payments. */
export async function vaultNow(rpc: Rpc, params: Params): Promise<Vault> {
  let vault = genesisVault(params)
  for (const transaction of await allMined(rpc, params.scanHeight)) {
    const input = findVaultInput(vault, transaction)
    if (input >= 0) vault = spendVault(params, vault, transaction, input, 0, undefined).vault
  }
  return vault
}

/** Mines until each is paid, which is once, and no less than its limit allows. */
export async function minePaid(network: RegtestNetwork, all: readonly Owed[]): Promise<void> {
  await network.waitFor({ until: 'all withdrawals are paid', withinMs: 60_000 }, async (note) => {
    await network.mine()
    const paid = (await paymentsOf(network, all)).filter((payments) => payments.length > 0).length
    note(`${paid} of ${all.length}`)
    return paid === all.length ? true : undefined
  })
  await expectPaidOnce(network, all)
}

export async function expectPaidOnce(network: RegtestNetwork, all: readonly Owed[]): Promise<void> {
  for (const [at, payments] of (await paymentsOf(network, all)).entries()) {
    const { amount, payoutFee } = all[at] as Owed
    expect(payments.length).toBe(1)
    expect(payments[0]?.value).toBeLessThan(amount)
    expect(payments[0]?.value).toBeGreaterThanOrEqual(amount - payoutFee)
  }
  await expectSolvent(network)
}

export async function paymentsOf({ bitcoind, params }: RegtestNetwork, all: readonly Owed[]): Promise<L1Output[][]> {
  const outputs = (await allMined(bitcoind.rpc, params.scanHeight)).flatMap((transaction) => transaction.outputs)
  return all.map(({ script }) => outputs.filter((output) => equalBytes(output.script, script)))
}

/** As their claims are counted: in the order in which Bitcoin holds what forced them. */
export async function inOrder({ bitcoind, params }: RegtestNetwork, all: readonly Owed[]): Promise<Owed[]> {
  return (await allMined(bitcoind.rpc, params.scanHeight)).flatMap((transaction) => {
    const forced = readForced(transaction)
    return forced?.kind === 'withdrawal' ? all.filter(({ script }) => equalBytes(script, forced.script)) : []
  })
}

/** On every node that runs and has everything. */
async function expectSolvent({ running }: RegtestNetwork): Promise<void> {
  for (const { client } of running) {
    const { balance } = await client.health()
    if (balance !== undefined) expect(balance.assets).toBeGreaterThanOrEqual(balance.liabilities)
  }
}

/** Header hash of the last final batch. */
export async function finalHash({ challengers }: RegtestNetwork): Promise<Uint8Array> {
  const client = challengers.find(({ isRunning }) => isRunning)?.client
  if (client === undefined) throw new Error('no challenger runs')
  const { final } = await client.health()
  const batch = await client.batch({ number: final.number })
  if (!('header' in batch) || batch.header === undefined) throw new Error('the last final batch has no header')
  return fromHex(batch.header.hash)
}
