import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { decodeContent, encodeContent, type WalletContent } from './content.ts'
import { WalletError } from './errors.ts'

/**
 * A wallet's file: readable by its owner alone, replaced as a whole, so that a crash leaves the old one or the new
 * one. Changes happen under a lock file, because two commands may run at once.
 */

/** A change takes milliseconds; a lock that stands this long was left by a process that died. */
const LOCK_WAIT_MS = 3_000
const LOCK_RETRY_MS = 20

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
}

/** Reads, changes and replaces the content while nobody else can. Gives the new content, which is on disk. */
export async function changeWalletFile(
  path: string,
  change: (content: WalletContent) => WalletContent,
): Promise<WalletContent> {
  const lock = await takeLock(path)
  try {
    const content = change(await readWalletFile(path))
    await rename(await writeBeside(path, content), path)
    await syncFolder(path)
    return content
  } finally {
    await unlink(lock)
  }
}

async function takeLock(path: string): Promise<string> {
  const lock = `${path}.lock`
  for (let waited = 0; ; waited += LOCK_RETRY_MS) {
    try {
      await (await open(lock, 'wx', 0o600)).close()
      return lock
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
      if (waited >= LOCK_WAIT_MS) {
        throw new WalletError(`Another command is using the wallet ${path}. If none is running, delete ${lock}.`, {
          code: 'wallet-busy',
          cause: error,
        })
      }
    }
    await pause(LOCK_RETRY_MS)
  }
}

/** Writes and syncs a file of a name of its own beside `path`, and gives that name. */
async function writeBeside(path: string, content: WalletContent): Promise<string> {
  const fresh = `${path}.${process.pid}.${fileCount++}.new`
  const file = await open(fresh, 'wx', 0o600)
  try {
    await file.writeFile(encodeContent(content))
    await file.sync()
  } finally {
    await file.close()
  }
  return fresh
}

let fileCount = 0

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

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
