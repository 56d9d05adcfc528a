import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { ConfigError } from './config-error.ts'

/** Far more than all keys of a configuration with all their values, and than any network's parameters. */
const BYTES_MAX = 64 * 1024

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

/** @throws ConfigError when the file can't be read, or has more than `limit` bytes. */
export function readBytes(file: string, limit: number): Uint8Array {
  return open(file, (fd) => {
    if (fstatSync(fd).size > limit) throw new ConfigError(`${file}: it is larger than ${limit} bytes`)
    // A plain array: what is cut out of a Buffer is a Buffer, which shares its bytes and prints otherwise.
    return Uint8Array.from(readFileSync(fd))
  })
}

function open<T>(file: string, use: (fd: number) => T): T {
  let fd: number | undefined
  try {
    fd = openSync(file, 'r')
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

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ConfigError(`${file}: it is not UTF-8 text`, { cause })
  }
}
