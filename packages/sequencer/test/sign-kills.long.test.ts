import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const KILLS = Number(process.env.KEDGE_CHAOS ?? 20)
const TICKS = 24

/** Milliseconds for which it signs. */
const ALIVE = 40

const SIGNER = fileURLToPath(new URL('signer.mjs', import.meta.url))

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-signer-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** What a signer says until it is killed, at a random moment behind its first signature. */
async function lifetime(): Promise<readonly string[]> {
  const child = spawn(process.execPath, [SIGNER, folder, String(TICKS)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const errors: string[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
  const lines: string[] = []
  const output = createInterface(child.stdout)
  const first = new Promise<void>((resolve) => output.once('line', () => resolve()))
  output.on('line', (line) => lines.push(line))
  const ended = once(child, 'close')
  const [code] = (await Promise.race([first.then(() => [null]), ended])) as [number | null]
  if (code !== null) throw new Error(`the signer ended with ${code}:\n${errors.join('')}`)
  await sleep(Math.random() * ALIVE)
  child.kill('SIGKILL')
  await ended
  return lines
}

it(`one message for a slot, with ${KILLS} kills while it signs`, { timeout: 60_000 + KILLS * 5_000 }, async () => {
  const messages = new Map<string, string>()
  const twice: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    for (const line of await lifetime()) {
      const [number, slot, message = '', signature] = line.split(' ')
      expect(signature).toHaveLength(slot === 'header' ? 192 : 128)
      const name = `${number}/${slot}`
      const known = messages.get(name)
      if (known !== undefined && known !== message) twice.push(name)
      messages.set(name, message)
    }
  }
  expect(twice).toEqual([])
  expect(messages.size).toBeGreaterThan(KILLS)
})
