import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Account, ApiError, type Payment } from '@kedge/api'
import { printHash, readMempool } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { createWallet, deposit, openWallet, type Wallet } from '@kedge/wallet'
import { walletsFolder } from './layout.ts'
import { readWaitingMessages, type WaitingMessage } from './mempool-messages.ts'
import type { RegtestNetwork } from './network.ts'
import type { NodeProcess } from './node-process.ts'
import { look, type Note } from './waiting.ts'

/**
 * Does `work`, and tells what is being done and checked; `seen` words what was found.
 * @throws what `work` throws
 */
export type Step = <T>(title: string, work: (note: Note) => Promise<T>, seen?: (result: T) => string) => Promise<T>

/** Somebody with a wallet. */
export interface Person {
  readonly name: string
  readonly wallet: Wallet
  /** Rollup key, hex. */
  readonly key: string
  /** Bitcoin address. */
  readonly bitcoin: string
}

/** Satoshis: what each person gets on Bitcoin, and what of it goes into the vault. */
const ON_BITCOIN = 1_000_000n
const DEPOSIT = 400_000n

const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi']

/** The mempool has to stand still for so long before a block is mined: a miner that is faster than everybody else. */
const QUIET_MS = 100

const BLOCKS_MAX = 40

/** What scenarios play on: a network, people with money, and steps that are told as they are taken. */
export class Stage {
  readonly network: RegtestNetwork
  private readonly everybody: Person[] = []
  private readonly wallets: Person[] = []

  readonly step: Step

  constructor(network: RegtestNetwork, step: Step) {
    this.network = network
    this.step = step
  }
  /** The first `count` people, those that are new with a wallet and money on the rollup. */
  async people(count: number): Promise<readonly Person[]> {
    const fresh = Array.from({ length: Math.max(0, count - this.everybody.length) }, (_, at) =>
      nameOf(this.everybody.length + at),
    )
    if (fresh.length > 0) this.everybody.push(...(await this.bringIn(fresh)))
    return this.everybody.slice(0, count)
  }

  /** All who ever got a wallet here. */
  get everyone(): readonly Person[] {
    return this.wallets
  }

  /** A wallet, and bitcoin for it: `ON_BITCOIN` satoshis, confirmed. */
  async newcomers(names: readonly string[]): Promise<readonly Person[]> {
    const people = await Promise.all(names.map((name) => this.makeWallet(name)))
    for (const { bitcoin } of people) await this.network.bitcoind.fund(bitcoin, ON_BITCOIN)
    await this.network.mine()
    return people
  }

  /** Sends a deposit to Bitcoin; it is in the mempool then. */
  async deposit({ wallet }: Person): Promise<void> {
    await deposit(wallet, this.network.bitcoind.rpc, { sats: DEPOSIT, feeRate: 2 })
  }

  /** What a node says of a person's money. */
  account(node: NodeProcess, { key }: Person): Promise<Account> {
    return node.client.account({ key })
  }

  /** Where a payment stands for a node; undefined while it has not heard of it. */
  async payment(node: NodeProcess, id: string): Promise<Payment | undefined> {
    try {
      return await node.client.payment({ id })
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not-found') return undefined
      throw error
    }
  }

  /** Mines a block each time that everybody has done what there was to do, until the probe gives something. */
  async mineUntil<T>(until: string, probe: (note: Note) => Promise<T | undefined>, note: Note): Promise<T> {
    let last = ''
    const both: Note = (text) => {
      last = text
      note(text)
    }
    for (let mined = 0; mined <= BLOCKS_MAX; mined++) {
      const found = await look(probe, both)
      if (found !== undefined) return found
      await this.quiet()
      await this.network.mine()
    }
    throw new Error(`mined ${BLOCKS_MAX} blocks until ${until}, in vain: ${last}`)
  }

  /** Mines until a node says that a payment has come to this rung. */
  mineTo(rung: 'anchored' | 'final', node: NodeProcess, id: string, note: Note): Promise<Payment> {
    return this.mineUntil(
      `the payment is ${rung}`,
      async (tell) => {
        const payment = await this.payment(node, id)
        tell(payment?.rung ?? 'unknown')
        return payment?.rung === rung || payment?.rung === 'final' ? payment : undefined
      },
      note,
    )
  }

  /** Until the mempool has stood still for a while. */
  async quiet(): Promise<void> {
    let before = ''
    let since = performance.now()
    await this.network.waitFor({ until: 'the mempool stands still' }, async () => {
      const now = (await readMempool(this.network.bitcoind.rpc)).map(printHash).sort().join()
      if (now !== before) since = performance.now()
      before = now
      return performance.now() - since >= QUIET_MS ? true : undefined
    })
  }

  /** Until the mempool holds a message of the protocol that `wanted` accepts. */
  untilWaiting(until: string, wanted: (waiting: WaitingMessage) => boolean, note: Note): Promise<WaitingMessage> {
    return this.network.waitFor({ until, onProgress: note }, async (tell) => {
      const waiting = await readWaitingMessages(this.network.bitcoind.rpc)
      tell(waiting.length === 0 ? 'nothing in the mempool' : waiting.map(({ message }) => message.kind).join(', '))
      return waiting.find(wanted)
    })
  }

  /** The number that a mined anchor's batch has, which its place in the chain gives it. */
  numberOf(headerHash: Uint8Array): Promise<number> {
    const name = toHex(headerHash)
    return this.network.waitFor({ until: 'the sequencer lists the batch' }, async () => {
      const { batches } = await this.network.sequencer.client.batches({})
      return batches.find((batch) => batch.outcome === 'batch' && batch.headerHash === name)?.number
    })
  }

  private async bringIn(names: readonly string[]): Promise<readonly Person[]> {
    const people = await this.step(
      `${names.length === 1 ? 'a wallet' : `${names.length} wallets, each`} with ${ON_BITCOIN.toLocaleString('en')} sat on Bitcoin`,
      () => this.newcomers(names),
    )
    await this.step(
      `each pays ${DEPOSIT.toLocaleString('en')} sat into the vault; the watchers sweep it; credited on all nodes, less the fees for both`,
      async (note) => {
        for (const person of people) await this.deposit(person)
        await this.mineUntil('all deposits are credited', (tell) => this.areCredited(people, tell), note)
      },
    )
    return people
  }

  /** Whether these newcomers' first deposits are credited on every running node, less deposit fee and cell fee. */
  async areCredited(people: readonly Person[], note: Note): Promise<true | undefined> {
    const { deposit: sweep, cell } = this.network.params.fees
    const credit = (DEPOSIT - sweep) * 1000n - cell
    for (const node of this.network.running) {
      const accounts = await Promise.all(people.map((person) => this.account(node, person)))
      const wrong = accounts.find(({ balance }) => balance !== 0n && balance !== credit)
      if (wrong !== undefined)
        throw new Error(`${node.name} says ${wrong.balance} msat where a deposit gives ${credit}`)
      const credited = accounts.filter(({ balance }) => balance === credit).length
      note(`${credited} of ${people.length} on ${node.name}`)
      if (credited < people.length) return undefined
    }
    return true
  }

  private async makeWallet(name: string): Promise<Person> {
    const folder = walletsFolder(this.network.folder)
    await mkdir(folder, { recursive: true })
    const file = join(folder, `${name}.json`)
    const { addresses } = await createWallet(file, this.network.params)
    const wallet = await openWallet(file, this.network.sequencer.client)
    const person = { name, wallet, key: addresses.rollup, bitcoin: addresses.bitcoin }
    this.wallets.push(person)
    return person
  }
}

function nameOf(at: number): string {
  return NAMES[at] ?? `wallet-${at + 1}`
}
