import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { changeWalletFile, createWalletFile } from '../src/file.ts'
import { inTurn } from '../src/turn.ts'

const HOLDER = fileURLToPath(new URL('lock-holder.mjs', import.meta.url))

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
    held.push(lstatSync(`${path}.turn`).isSymbolicLink())
    await sleep(5)
  }
  await Promise.all([inTurn(path, work), inTurn(path, work)])
  await expect(inTurn(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(held).toEqual([true, true])
  expect(await readdir(folder)).toEqual(['wallet.json'])
})

test('a turn is waited for while another process has it, and taken when that is killed', async () => {
  const holders = [`${path}.turn`, `${path}.lock`].map((lock) =>
    spawn(process.execPath, [HOLDER, lock], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  onTestFinished(() => holders.forEach((holder) => void holder.kill('SIGKILL')))
  await Promise.all(holders.map((holder) => once(holder.stdout, 'data')))
  let isTaken = false
  const waiting = inTurn(path, () => {
    isTaken = true
    return changeWalletFile(path, (old) => ({ ...old, sends: [] }))
  })
  await sleep(200)
  expect(isTaken).toBe(false)
  for (const holder of holders) holder.kill('SIGKILL')
  expect(await waiting).toMatchObject({ sends: [] })
  expect(await readdir(folder)).toEqual(['wallet.json'])
})

test('what another process told of while a turn was waited for is not among what was told before', async () => {
  const holder = spawn(process.execPath, [HOLDER, `${path}.turn`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  const waiting = inTurn(path, (told) => Promise.resolve(told))
  await sleep(200)
  const open = { id: '01'.repeat(32), transfer: `01${'00'.repeat(173)}`, state: 'recorded' } as const
  const record = { ...open, id: '02'.repeat(32), proven: true } as const
  await changeWalletFile(path, (old) => ({ ...old, sends: [open, record] }))
  holder.kill('SIGKILL')
  expect(await waiting).toEqual(new Set())
  expect(await inTurn(path, (told) => Promise.resolve(told))).toEqual(new Set([record.id]))
})
