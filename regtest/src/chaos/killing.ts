import { setTimeout as sleep } from 'node:timers/promises'
import { RpcUnreachableError } from '@kedge/bitcoin'
import type { RegtestNetwork } from '../network.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Dice } from './dice.ts'

/** Milliseconds: for which who is to be killed runs first, for which the killed is dead, and between two blocks. */
const ALIVE = [0, 1500] as const
const DEAD = [0, 500] as const
const BLOCKS = [500, 2000] as const

/** Of a hundred kills, those of the sequencer and of bitcoind; the rest are challengers'. */
const SEQUENCER_SHARE = 45
const BITCOIND_SHARE = 25

const STARTS_MAX = 20

/**
 * Kills what runs, at random moments, and starts it again, as a supervisor does, while blocks are mined. Several may
 * be dead at once.
 */
export class Killing {
  /** Who was killed, in order. */
  readonly killed: string[] = []
  private readonly network: RegtestNetwork
  private readonly dice: Dice
  private readonly reviving = new Set<Promise<void>>()
  private bitcoind: Promise<void> = Promise.resolve()
  private outages = 0
  private failure: unknown

  constructor(network: RegtestNetwork, dice: Dice) {
    this.network = network
    this.dice = dice
  }

  /** Everything runs again afterwards. @throws Error when something ended by itself, or did not start again */
  async run(kills: number): Promise<void> {
    const stopping = new AbortController()
    const mining = this.mine(this.dice.fork(), stopping.signal)
    try {
      for (let at = 0; at < kills && this.failure === undefined; at++) {
        await this.killOne()
      }
      await Promise.all(this.reviving)
    } finally {
      stopping.abort()
      await mining
    }
    if (this.failure !== undefined) throw this.failure
  }

  private async killOne(): Promise<void> {
    const { sequencer, challengers, nodes } = this.network
    const drawn = this.dice.below(100)
    const [alive, dead] = [this.dice.between(...ALIVE), this.dice.between(...DEAD)]
    const node = drawn < BITCOIND_SHARE + SEQUENCER_SHARE ? sequencer : this.dice.pick(challengers)
    // It may still be starting since its last death: bitcoind may die meanwhile, it itself only once it runs.
    if (drawn >= BITCOIND_SHARE && !node.isRunning) await Promise.all(this.reviving)
    await sleep(alive)
    for (const each of nodes) each.check()
    if (drawn < BITCOIND_SHARE) return this.killBitcoind(dead)
    this.killed.push(node.name)
    await node.kill()
    this.look(this.revive(node, dead))
  }

  private async killBitcoind(dead: number): Promise<void> {
    await this.bitcoind
    this.killed.push('bitcoind')
    this.outages += 1
    const killed = this.network.bitcoind.kill()
    // Whoever waits for bitcoind waits from the moment of its death on.
    this.bitcoind = this.reviveBitcoind(killed, dead)
    this.look(this.bitcoind)
    await killed
  }

  private async reviveBitcoind(killed: Promise<void>, dead: number): Promise<void> {
    await killed
    await sleep(dead)
    await this.network.bitcoind.start()
  }

  /** A node ends when bitcoind goes while it starts; then it is started again. */
  private async revive(node: NodeProcess, dead: number): Promise<void> {
    await sleep(dead)
    for (let starts = 1; ; starts++) {
      await this.bitcoind
      const { outages } = this
      try {
        return await node.start()
      } catch (error) {
        if (outages === this.outages || starts === STARTS_MAX) throw error
      }
    }
  }

  private look(work: Promise<void>): void {
    const looked = work
      .catch((error: unknown) => {
        this.failure ??= error
      })
      .finally(() => this.reviving.delete(looked))
    this.reviving.add(looked)
  }

  private async mine(dice: Dice, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(dice.between(...BLOCKS))
      await this.bitcoind
      try {
        await this.network.bitcoind.mine(1)
      } catch (error) {
        if (!(error instanceof RpcUnreachableError) && !isDead(error)) throw error
      }
    }
  }
}

/** The harness says so of a bitcoind that was killed between two calls. */
function isDead(error: unknown): boolean {
  return error instanceof Error && error.message === 'this bitcoind does not run'
}
