import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { ConfigError } from './config-error.ts'

/** Far more than all keys of a configuration with all their values, and than any network's parameters. */
const BYTES_MAX = 64 * 1024

const CHUNK = 64 * 1024

/** A small file that somebody named. @throws ConfigError when it can't be read, is too large, or is not UTF-8. */
export function readText(file: string): string {
  return decode(file, readBytes(file, BYTES_MAX))
}

/** As `readText`, for secrets: nobody but the owner may be able to read or change the file. */
export function readSecretText(file: string): string {
  const mode = open(file, (fd) => fstatSync(fd).mode)
  // Windows has no such modes, and reports the same for all files.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new ConfigError(`${file}: others can read these secrets; run chmod 600 ${file}`)
  return readText(file)
}

/** @throws ConfigError when it is no file, can't be read, or has more than `limit` bytes. */
export function readBytes(file: string, limit: number): Uint8Array {
  return open(file, (fd) => {
    const bytes = readUpTo(fd, limit + 1)
    if (bytes.length > limit) throw new ConfigError(`${file}: it is larger than ${limit} bytes`)
    return bytes
  })
}

/** Until there is no more: what a file says of its size need not be so, and some that have no end say 0. */
function readUpTo(fd: number, count: number): Uint8Array {
  let bytes = new Uint8Array(Math.min(count, CHUNK))
  for (let end = 0; ; ) {
    const read = readSync(fd, bytes, end, bytes.length - end, null)
    end += read
    if (read === 0 || end === count) return bytes.slice(0, end)
    if (end < bytes.length) continue
    const larger = new Uint8Array(Math.min(count, 2 * end))
    larger.set(bytes)
    bytes = larger
  }
}

function open<T>(file: string, use: (fd: number) => T): T {
  let fd: number | undefined
  try {
    expectFile(file)
    // So that nobody waits, should it have become a pipe since.
    fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    return use(fd)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`${file}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** To open a pipe is to wait for who writes to it, and a device may have no end. */
function expectFile(file: string): void {
  const stats = statSync(file)
  if (stats.isDirectory()) throw new ConfigError(`${file}: it is a folder, and a file is needed`)
  if (!stats.isFile()) throw new ConfigError(`${file}: it is a pipe or a device, and a file is needed`)
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ConfigError(`${file}: it is not UTF-8 text`, { cause })
  }
}
