import { readlink, symlink, unlink } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { isCode, WalletError } from './errors.ts'
import { isAlive, type Owner, parseOwner, printOwner, SELF } from './owner.ts'

/**
 * A lock among processes, which a death gives back. It is a symbolic link whose target says whose it is: made in one step,
 * so it is never there without its owner, nor half made; and what a `kill -9` leaves is taken by whoever comes next.
 */

const RETRY_MS = 25

/**
 * Runs work while nobody else has the lock, in this process or in another.
 * @throws WalletError `wallet-busy` where somebody has it for all of `waitMs`
 */
export async function holdLock<T>(lock: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  await take(lock, waitMs)
  try {
    return await work()
  } finally {
    // Somebody may have deleted it by hand, and another one taken it.
    if ((await readOwner(lock)) === OWN) await unlink(lock)
  }
}

/** Runs work after what this process was asked before under the same name has ended, however that ended. */
export function oneByOne<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(name) ?? Promise.resolve()
  const mine = before.then(work, work)
  queues.set(name, mine)
  const leave = () => {
    if (queues.get(name) === mine) queues.delete(name)
  }
  mine.then(leave, leave)
  return mine
}

const queues = new Map<string, Promise<unknown>>()

const OWN = printOwner(SELF)

async function take(lock: string, waitMs: number): Promise<void> {
  for (let waited = 0; !(await isTaken(lock)); waited += RETRY_MS) {
    const text = await readOwner(lock)
    if (text === undefined) continue
    const owner = parseOwner(text)
    if (owner !== undefined && !isAlive(owner)) await takeFromDead(lock, owner, waitMs)
    else if (waited >= waitMs) throw busy(lock, owner)
    else await pause(RETRY_MS)
  }
}

async function isTaken(lock: string): Promise<boolean> {
  try {
    await symlink(OWN, lock)
    return true
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    return false
  }
}

/**
 * Several may find the same owner dead, and the slowest of them must not take the lock from the quickest. So only one at
 * a time may look again and take it away: who has a lock of the dead one's name. As that owner never takes a lock again,
 * what is found to be its own still is when it is taken away. Who dies with that lock gives it back in the same way.
 */
async function takeFromDead(lock: string, dead: Owner, waitMs: number): Promise<void> {
  await holdLock(`${lock}.${dead.id}`, waitMs, async () => {
    if ((await readOwner(lock)) === printOwner(dead)) await unlink(lock)
  })
}

/** What the lock says; empty for what is no lock, and undefined where nothing is. */
async function readOwner(lock: string): Promise<string | undefined> {
  try {
    return await readlink(lock)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    if (isCode(error, 'EINVAL')) return ''
    throw error
  }
}

function busy(lock: string, owner: Owner | undefined): WalletError {
  const who = owner === undefined ? '' : ` (process ${owner.pid} of ${owner.place.split('/')[0]})`
  return new WalletError(
    `Another command${who} is using the wallet: it holds ${lock}. Try again when it has ended; if there is none, delete that file.`,
    { code: 'wallet-busy' },
  )
}
