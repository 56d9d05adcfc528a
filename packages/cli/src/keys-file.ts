import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { publicKeyOf } from '@kedge/bitcoin'
import { fromHex, isHex, toHex } from '@kedge/core'
import { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { readSecretText } from './text-file.ts'

/** A node's secrets, 32 bytes each. */
export interface Keys {
  /** Seed of its libp2p identity. */
  readonly peer: Uint8Array
  /** Owns the coins that pay for what it puts on Bitcoin. */
  readonly coins: Uint8Array
  /** Spends the anchor chain's links; a sequencer's alone. */
  readonly anchor?: Uint8Array
  /** Signs acknowledgements; a sequencer's alone. */
  readonly slot?: Uint8Array
  /** Co-signs the bond, and takes it back; a sequencer's alone. */
  readonly bond?: Uint8Array
  readonly return?: Uint8Array
  /** Signs spends of the vault; a watcher's alone, which is a challenger. */
  readonly watcher?: Uint8Array
}

export type KeysRole = 'sequencer' | 'challenger' | 'watcher'

const seed = z.string().refine((text) => isHex(text, 32), 'must be 32 bytes of lower-case hex')
const file = z.strictObject({
  peer: seed,
  coins: seed,
  anchor: seed.optional(),
  slot: seed.optional(),
  bond: seed.optional(),
  return: seed.optional(),
  watcher: seed.optional(),
})

/** @throws ConfigError naming what is wrong with the file. */
export function readKeys(path: string): Keys {
  const read = file.safeParse(parseJson(path))
  if (!read.success) {
    const [issue] = read.error.issues
    const what = `${issue?.path.join('.') || 'keys'}: ${issue?.message}`
    throw new ConfigError(`${path}: these are no keys of a node: ${what}; kedge keys new makes such a file`)
  }
  const entries = Object.entries(read.data).map(([name, hex]) => [name, fromHex(hex ?? '')] as const)
  for (const [name, secret] of entries) if (name !== 'peer') checkSecret(path, name, secret)
  return Object.fromEntries(entries) as unknown as Keys
}

/** Makes new secrets, into a file that only its owner can read. @throws ConfigError when there is a file already. */
export function createKeys(path: string, role: KeysRole): Keys {
  const [peer, coins] = [randomBytes(32), randomBytes(32)]
  const keys: Keys = { peer, coins, ...ownKeys(role) }
  const hex = Object.fromEntries(Object.entries(keys).map(([name, secret]) => [name, toHex(secret)]))
  try {
    writeFileSync(path, `${JSON.stringify(hex, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true })
  } catch (cause) {
    throw new ConfigError(`${path}: no keys were written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  return keys
}

/** What a role has beside the others'. */
function ownKeys(role: KeysRole): Partial<Keys> {
  if (role === 'sequencer')
    return { anchor: randomBytes(32), slot: randomBytes(32), bond: randomBytes(32), return: randomBytes(32) }
  return role === 'watcher' ? { watcher: randomBytes(32) } : {}
}

/** What may be shown, and stands in a network's parameters: x-only keys as hex. */
export function publicKeys({
  coins,
  anchor,
  slot,
  bond,
  return: home,
  watcher,
}: Keys): Readonly<Record<string, string>> {
  const secrets = Object.entries({ coins, anchor, slot, bond, return: home, watcher }).filter(
    ([, secret]) => secret !== undefined,
  )
  return Object.fromEntries(secrets.map(([name, secret]) => [name, toHex(publicKeyOf(secret as Uint8Array))]))
}

function checkSecret(path: string, name: string, secret: Uint8Array): void {
  try {
    publicKeyOf(secret)
  } catch (cause) {
    throw new ConfigError(`${path}: ${name}: it is no secp256k1 secret key`, { cause })
  }
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readSecretText(path))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new ConfigError(`${path}: it is not JSON`, { cause })
    throw cause
  }
}
