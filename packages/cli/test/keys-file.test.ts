import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { publicKeyOf } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { expect, test } from 'vitest'
import { createKeys, publicKeys, readKeys } from '../src/keys-file.ts'
import { freshFolder } from './folder.ts'

const HEX = '11'.repeat(32)

test('new keys are read back; a sequencer has four more, a watcher one', () => {
  const folder = freshFolder()
  for (const [role, names] of [
    ['sequencer', ['peer', 'coins', 'anchor', 'slot', 'bond', 'return']],
    ['challenger', ['peer', 'coins']],
    ['watcher', ['peer', 'coins', 'watcher']],
  ] as const) {
    const file = join(folder.path, `${role}.json`)
    const made = createKeys(file, role)
    expect(Object.keys(made)).toEqual(names)
    expect(new Set(Object.values(made).map(toHex)).size).toBe(names.length)
    expect(readKeys(file)).toEqual(
      Object.fromEntries(Object.entries(made).map(([name, secret]) => [name, Uint8Array.from(secret)])),
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
  }
})

test('what is shown are public keys', () => {
  const file = freshFolder().file('keys.json', JSON.stringify({ peer: HEX, coins: HEX, slot: '22'.repeat(32) }))
  const keys = readKeys(file)
  expect(publicKeys(keys)).toEqual({
    coins: toHex(publicKeyOf(keys.coins)),
    slot: toHex(publicKeyOf(new Uint8Array(32).fill(0x22))),
  })
  expect(JSON.stringify(publicKeys(keys))).not.toContain(HEX)
})

test('keys are never overwritten', () => {
  const file = freshFolder().file('keys.json', 'precious')
  expect(() => createKeys(file, 'challenger')).toThrow(`${file}: no keys were written: EEXIST`)
  expect(readFileSync(file, 'utf8')).toBe('precious')
})

test('a file that others can read is refused', () => {
  const file = freshFolder().file('keys.json', JSON.stringify({ peer: HEX, coins: HEX }))
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    chmodSync(file, mode)
    expect(() => readKeys(file)).toThrow(`${file}: others can read these secrets; run chmod 600`)
  }
})

test.each([
  ['no JSON', '{', 'it is not JSON'],
  ['a list', '[]', 'keys: '],
  ['a missing key', `{"peer":"${HEX}"}`, 'coins: '],
  ['an unknown key', `{"peer":"${HEX}","coins":"${HEX}","vault":"${HEX}"}`, '"vault"'],
  ['a short key', `{"peer":"${HEX}","coins":"11"}`, 'coins: must be 32 bytes of lower-case hex'],
  ['upper case', `{"peer":"${'AA'.repeat(32)}","coins":"${HEX}"}`, 'peer: must be 32 bytes of lower-case hex'],
  ['a number', `{"peer":1,"coins":"${HEX}"}`, 'peer: '],
  [
    'zero, which is no secp256k1 key',
    `{"peer":"${HEX}","coins":"${'00'.repeat(32)}"}`,
    'coins: it is no secp256k1 secret key',
  ],
  [
    'more than the order',
    `{"peer":"${HEX}","coins":"${HEX}","anchor":"${'ff'.repeat(32)}"}`,
    'anchor: it is no secp256k1 secret key',
  ],
])('refused: %s', (_, content, reason) => {
  const file = freshFolder().file('keys.json', content)
  expect(() => readKeys(file)).toThrow(`${file}: `)
  expect(() => readKeys(file)).toThrow(reason)
})
