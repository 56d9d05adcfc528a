import { link, mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { decodeContent, encodeContent, type WalletContent } from './content.ts'
import { isCode, WalletError } from './errors.ts'
import { holdLock, oneByOne } from './lock.ts'

/**
 * A wallet's file: readable by its owner alone, replaced as a whole, so that a crash leaves the old one or the new
 * one. Changes happen under a lock, because two commands may run at once.
 */

/** A change takes milliseconds. */
const CHANGE_WAIT_MS = 3_000

/** @throws WalletError `no-wallet` or `wallet-damaged`. */
export async function readWalletFile(path: string): Promise<WalletContent> {
  const read = decodeContent(await readText(path))
  if (!read.ok) {
    throw new WalletError(
      `The wallet file ${path} cannot be read: ${read.reason}. Restore the wallet from its seed words into another file, and keep this one.`,
      { code: 'wallet-damaged' },
    )
  }
  return read.content
}

/** @throws WalletError `wallet-exists`: a wallet is never overwritten. */
export async function createWalletFile(path: string, content: WalletContent): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await alone(path, async () => {
    const fresh = await writeBeside(path, content)
    try {
      // Unlike a rename, a link does not replace what is there.
      await link(fresh, path)
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
      throw new WalletError(`There is a wallet at ${path} already; choose another path.`, {
        code: 'wallet-exists',
        cause: error,
      })
    } finally {
      await unlink(fresh)
    }
    await syncFolder(path)
  })
}

/** Reads, changes and replaces the content while nobody else can. Gives the new content, which is on disk. */
export function changeWalletFile(
  path: string,
  change: (content: WalletContent) => WalletContent,
): Promise<WalletContent> {
  return alone(path, async () => {
    const content = change(await readWalletFile(path))
    await rename(await writeBeside(path, content), path)
    await syncFolder(path)
    return content
  })
}

/** @throws WalletError `wallet-busy` */
function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`
  return oneByOne(lock, () => holdLock(lock, CHANGE_WAIT_MS, work))
}

/**
 * Writes and syncs a file beside `path`, and gives its name: one name, so that what a crash leaves is cleared away here. It
 * is not written over, as it may be the wallet's file itself, where the crash came when that had just been linked.
 */
async function writeBeside(path: string, content: WalletContent): Promise<string> {
  const fresh = `${path}.new`
  await rm(fresh, { force: true })
  const file = await open(fresh, 'wx', 0o600)
  try {
    await file.writeFile(encodeContent(content))
    await file.sync()
  } finally {
    await file.close()
  }
  return fresh
}

/** Without it, a crash of the machine could forget the new name. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'EISDIR'))
      throw new WalletError(`${path} is a folder: name the wallet’s file.`, { code: 'no-wallet', cause: error })
    if (!isCode(error, 'ENOENT')) throw error
    throw new WalletError(`There is no wallet at ${path}. Create one, or restore one from its seed words.`, {
      code: 'no-wallet',
      cause: error,
    })
  }
}
