import {
  buildVaultSpend,
  type Rpc,
  readBlock,
  readBlockHash,
  readRawBlock,
  readTip,
  sendTransaction,
} from '@kedge/bitcoin'
import {
  type Chain,
  type Claim,
  type Court,
  deriveBlock,
  equalBytes,
  genesisChain,
  L1Facts,
  networkId,
  type Params,
  planPayout,
  planSweep,
  type VaultPlan,
} from '@kedge/core'

/** Satoshis for 1,000 vB, the first that the deposits, or the claims, can pay for. */
const FEE_RATES = [1_500n, 1_000n]

/**
 * Sweeps deposits into the vault, and pays claims, with the keys of t watchers, which on a real network lie with t parties. It keeps
 * nothing: what is to be swept follows from Bitcoin's blocks, and two sweeps of one head exclude each other.
 */
export class Sweeper {
  private readonly rpc: Rpc
  private readonly params: Params
  private readonly secrets: readonly Uint8Array[]
  private readonly payable: () => Promise<readonly Claim[]>
  private readonly facts: L1Facts
  /** After each block from the scan height on. */
  private readonly chains: Chain[] = []
  private turn: Promise<void> = Promise.resolve()

  /** @param payable claims that a node derived, and that may be paid by now */
  constructor(rpc: Rpc, params: Params, secrets: readonly Uint8Array[], payable: () => Promise<readonly Claim[]>) {
    this.rpc = rpc
    this.params = params
    this.secrets = secrets
    this.payable = payable
    this.facts = new L1Facts(params.scanHeight)
  }

  /** Reads Bitcoin up to its tip, and sends the sweep of what may be swept in the next block. */
  tend(): Promise<void> {
    const run = () => this.tendNow()
    // Whoever asked before hears of what went wrong then.
    this.turn = this.turn.then(run, run)
    return this.turn
  }

  private async tendNow(): Promise<void> {
    const chain = await this.follow()
    const plan = this.planSweep(chain) ?? (await this.planPayout(chain))
    if (plan === undefined) return
    const sent = await sendTransaction(this.rpc, buildVaultSpend(this.params, plan, this.secrets).raw, 0n)
    // An earlier sweep of the same head may be in the mempool: what came since waits for the next head.
    if (!sent.ok && sent.reason === 'invalid') throw new Error(`a spend of the vault was refused: ${sent.detail}`)
  }

  private planSweep({ vault, height }: Chain): VaultPlan | undefined {
    const deposits = this.facts.unspentDeposits()
    return firstOf((rate) => planSweep(this.params, vault, deposits, height + 1, rate))
  }

  private async planPayout({ vault, final }: Chain): Promise<VaultPlan | undefined> {
    const claims = await this.payable()
    return firstOf((rate) => planPayout(this.params, vault, claims, final.headerHash, rate))
  }

  private async follow(): Promise<Chain> {
    const { scanHeight } = this.params
    const { height: tip } = await readTip(this.rpc)
    const below = await readBlockHash(this.rpc, scanHeight - 1)
    if (below === undefined) throw new Error('bitcoind ends below the scan height')
    while (this.chains.length > 0 && !(await this.isThere(this.chains.at(-1) as Chain))) this.chains.pop()
    this.facts.truncate(scanHeight - 1 + this.chains.length)
    const court: Court = {
      params: this.params,
      network: networkId(this.params),
      facts: this.facts,
      isSigned: () => false,
    }
    for (let height = scanHeight + this.chains.length; height <= tip; height++) {
      const hash = await readBlockHash(this.rpc, height)
      if (hash === undefined) break
      const block = readBlock(await readRawBlock(this.rpc, hash), height)
      const before = this.chains.at(-1) ?? genesisChain(this.params, below)
      if (!equalBytes(block.parent, before.hash)) break
      const derived = deriveBlock(court, before, block)
      this.facts.append(height, hash, derived.facts)
      this.chains.push(derived.chain)
    }
    return this.chains.at(-1) ?? genesisChain(this.params, below)
  }

  private async isThere({ height, hash }: Chain): Promise<boolean> {
    const theirs = await readBlockHash(this.rpc, height)
    return theirs !== undefined && equalBytes(theirs, hash)
  }
}

function firstOf(plan: (rate: bigint) => VaultPlan | undefined): VaultPlan | undefined {
  return FEE_RATES.map(plan).find((one) => one !== undefined)
}
