import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeVersions } from '../scripts/nodes.mjs'
import { isInstalled, PreparationError } from '../scripts/prepare.mjs'

const SPAWN = new URL('../scripts/spawn.mjs', import.meta.url).href
const RUN = new URL('../scripts/run.mjs', import.meta.url)

/** Starts a process that runs `program` (JavaScript) in the foreground, as the tasks are run. */
function startRunner(program: string): ChildProcess {
  const code = `import { runForeground } from ${JSON.stringify(SPAWN)}
    process.exitCode = await runForeground([process.execPath, '-e', ${JSON.stringify(program)}], { SETTING: 'set' })`
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Its output from now on, as it grows. */
function collect(child: ChildProcess): { text: string } {
  const output = { text: '' }
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    output.text += text
  })
  return output
}

describe('a task in the foreground', () => {
  it('gets the environment, and its exit code is passed on', async () => {
    const child = startRunner('console.log(process.env.SETTING); process.exit(7)')
    const output = collect(child)
    expect(await once(child, 'close')).toEqual([7, null])
    expect(output.text).toBe('set\n')
  })

  it('ends with the code a shell gives when a signal ended it', async () => {
    const child = startRunner("process.kill(process.pid, 'SIGKILL')")
    expect(await once(child, 'close')).toEqual([128 + 9, null])
  })

  it('hears of one Ctrl-C once, though terminal and npm both send it, and may take its time to stop', async () => {
    const child = startRunner(`
      process.on('SIGINT', () => { console.log('interrupted'); setTimeout(() => process.exit(0), 700) })
      setInterval(() => {}, 1000)
      console.log('up')`)
    const output = collect(child)
    await expect.poll(() => output.text).toBe('up\n')
    child.kill('SIGINT')
    await expect.poll(() => output.text).toBe('up\ninterrupted\n')
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([0, null])
    expect(output.text).toBe('up\ninterrupted\n')
  })
})

describe('isInstalled', () => {
  let root = ''

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kedge-run-'))
    mkdirSync(join(root, 'node_modules'))
  })

  afterEach(() => {
    rmSync(root, { recursive: true })
  })

  const level = { version: '10.0.0', integrity: 'sha512-a' }

  function write(path: string, packages: object): void {
    writeFileSync(join(root, path), JSON.stringify({ packages }))
  }

  function judge(locked: object, present: object): boolean {
    write('package-lock.json', { '': { version: '1.0.0' }, ...locked })
    write('node_modules/.package-lock.json', present)
    return isInstalled(root)
  }

  it('takes what the lock file names', () => {
    expect(judge({ 'node_modules/level': level }, { 'node_modules/level': level })).toBe(true)
  })

  it('takes it without what is for another platform', () => {
    const locked = { 'node_modules/level': level, 'node_modules/x-darwin': { version: '1.0.0', optional: true } }
    expect(judge(locked, { 'node_modules/level': level })).toBe(true)
  })

  it.each([
    ['another version', { 'node_modules/level': { ...level, version: '9.0.0' } }],
    ['other contents', { 'node_modules/level': { ...level, integrity: 'sha512-b' } }],
    ['a missing package', {}],
  ])('refuses %s', (_, present) => {
    expect(judge({ 'node_modules/level': level }, present)).toBe(false)
  })

  it('refuses an install that never ended', () => {
    write('package-lock.json', {})
    expect(isInstalled(root)).toBe(false)
  })

  it('needs a lock file', () => {
    expect(() => isInstalled(root)).toThrow(PreparationError)
  })
})

describe('takeVersions', () => {
  it('takes every --node out, and leaves the rest in order', () => {
    const args = ['a', '--node', '22', '--bail', '--node', '24.1.0', 'b']
    expect(takeVersions(args)).toEqual({ versions: ['22', '24.1.0'], rest: ['a', '--bail', 'b'] })
  })

  it('leaves a command line without it alone', () => {
    expect(takeVersions(['a', '-t', 'node'])).toEqual({ versions: [], rest: ['a', '-t', 'node'] })
  })

  it('refuses one without a version', () => {
    expect(() => takeVersions(['--node'])).toThrow('--node needs a version')
  })
})

it('an unknown task is answered with the list of tasks', async () => {
  const child = spawn(process.execPath, [fileURLToPath(RUN), 'dmeo'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  expect(await once(child, 'close')).toEqual([2, null])
  expect(text).toMatch(/^kedge: the tasks are demo, .*layers$/m)
})

describe('get-chromium.sh', () => {
  const SCRIPT = fileURLToPath(new URL('../scripts/get-chromium.sh', import.meta.url))
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kedge-chromium-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** A program in the folder that starts and ends with this status. */
  function program(name: string, status: number): string {
    writeFileSync(join(folder, name), `#!/bin/sh\nexit ${status}\n`, { mode: 0o755 })
    return join(folder, name)
  }

  function run(env: Record<string, string>) {
    const { status, stdout, stderr } = spawnSync('bash', [SCRIPT], { env, encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  it('takes the one that is named, and no other when it does not start', () => {
    const [good, bad] = [program('good', 0), program('bad', 1)]
    const PATH = process.env.PATH ?? ''
    expect(run({ PATH, CHROMIUM: good })).toEqual({ status: 0, stdout: `${good}\n`, stderr: '' })
    const refused = run({ PATH, CHROMIUM: bad })
    expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('no Chromium that starts') })
  })

  it('takes the first on PATH that starts', () => {
    for (const name of ['chromium', 'chromium-browser']) program(name, 1)
    const chrome = program('google-chrome', 0)
    const PATH = `${folder}:${process.env.PATH}`
    expect(run({ PATH })).toEqual({ status: 0, stdout: `${chrome}\n`, stderr: '' })
  })
})
