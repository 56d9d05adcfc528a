import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWalletFile } from '../src/file.ts'
import { inTurn } from '../src/turn.ts'

let folder: string
let path: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-turn-'))
  path = join(folder, 'wallet.json')
  const content = {
    version: 1,
    chain: 'regtest',
    network: '00'.repeat(32),
    words: 'none',
    sends: [],
    deposits: [],
    publications: [],
  }
  await createWalletFile(path, content as never)
})
afterAll(() => rm(folder, { recursive: true }))

test('a turn is over when its work is, and leaves nothing behind', async () => {
  const held: boolean[] = []
  const work = async () => {
    held.push(existsSync(`${path}.turn`))
    await sleep(5)
  }
  await Promise.all([inTurn(path, work), inTurn(path, work)])
  await expect(inTurn(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(held).toEqual([true, true])
  expect(await readdir(folder)).toEqual(['wallet.json'])
})

test('a turn is waited for while the process that has it lives, and taken from one that died', async () => {
  writeFileSync(`${path}.turn`, `${process.ppid} of another`)
  let isTaken = false
  const waiting = inTurn(path, () => {
    isTaken = true
    return Promise.resolve(readFileSync(`${path}.turn`, 'utf8'))
  })
  await sleep(200)
  expect(isTaken).toBe(false)
  const { pid } = spawnSync(process.execPath, ['--version'])
  writeFileSync(`${path}.turn`, `${pid} of one that died`)
  expect(await waiting).toMatch(new RegExp(`^${process.pid} `))
  expect(await readdir(folder)).toEqual(['wallet.json'])
})

test('a turn that an earlier process of this number had is taken', async () => {
  writeFileSync(`${path}.turn`, `${process.pid} 00`)
  await inTurn(path, () => Promise.resolve())
  expect(existsSync(`${path}.turn`)).toBe(false)
})
