import { randomBytes } from 'node:crypto'
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { WalletError } from './errors.ts'
import { isCode, readWalletFile } from './file.ts'

/** Ids of what the wallet had signed before the turn was waited for: what is not among them was signed meanwhile. */
export type Seen = ReadonlySet<string>

/**
 * Runs work for one wallet file after what was asked before it has ended, however that ended; in other processes too, as
 * each takes its nonces from what is in the file.
 * @throws WalletError `wallet-busy`
 */
export function inTurn<T>(path: string, work: (seen: Seen) => Promise<T>): Promise<T> {
  const before = turns.get(path) ?? Promise.resolve()
  const hold = () => holdTurn(path, work)
  const mine = before.then(hold, hold)
  turns.set(path, mine)
  const leave = () => {
    if (turns.get(path) === mine) turns.delete(path)
  }
  mine.then(leave, leave)
  return mine
}

const turns = new Map<string, Promise<unknown>>()

/** A command waits for the node some ten seconds at most, a few times. */
const TURN_WAIT_MS = 60_000
const TURN_RETRY_MS = 25

/** Sets this process apart from an earlier one that had its number. */
const self = `${process.pid} ${randomBytes(8).toString('hex')}`

async function holdTurn<T>(path: string, work: (seen: Seen) => Promise<T>): Promise<T> {
  const seen = new Set((await readWalletFile(path)).sends.map(({ id }) => id))
  const turn = `${path}.turn`
  await take(path, turn)
  try {
    return await work(seen)
  } finally {
    await unlink(turn)
  }
}

async function take(path: string, turn: string): Promise<void> {
  for (let waited = 0; !(await isTaken(turn)); waited += TURN_RETRY_MS) {
    const holder = await readHolder(turn)
    if (holder !== undefined && !isAlive(holder)) await clear(turn, holder)
    else if (waited >= TURN_WAIT_MS)
      throw new WalletError(
        `Another command (process ${holder?.split(' ')[0] ?? 'unknown'}) is using the wallet ${path}. Try again when it has ended; if none is running, delete ${turn}.`,
        { code: 'wallet-busy' },
      )
    else await pause(TURN_RETRY_MS)
  }
}

/** A link, unlike a rename, does not replace what is there; and what is there says from the first moment whose it is. */
async function isTaken(turn: string): Promise<boolean> {
  const fresh = `${turn}.${randomBytes(8).toString('hex')}`
  await writeFile(fresh, self, { mode: 0o600, flag: 'wx' })
  try {
    await link(fresh, turn)
    return true
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    return false
  } finally {
    await unlink(fresh)
  }
}

async function readHolder(turn: string): Promise<string | undefined> {
  try {
    return await readFile(turn, 'utf8')
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    return undefined
  }
}

function isAlive(holder: string): boolean {
  const pid = Number(holder.split(' ')[0])
  if (holder === self) return true
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isCode(error, 'ESRCH')
  }
}

/** Of one that died. Another process may have cleared and taken it in the meantime: then it is put back. */
async function clear(turn: string, holder: string): Promise<void> {
  const aside = `${turn}.${randomBytes(8).toString('hex')}`
  try {
    await rename(turn, aside)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    return
  }
  if ((await readHolder(aside)) !== holder) await link(aside, turn)
  await unlink(aside)
}
