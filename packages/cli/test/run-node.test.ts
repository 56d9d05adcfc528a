import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { parseReadyLine } from '../src/run-node.ts'

const SCRIPT = fileURLToPath(new URL('node-process.mjs', import.meta.url))

interface Started {
  readonly child: ChildProcess
  /** Everything on standard error, once it has ended. */
  readonly log: Promise<string>
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>
}

function run(behaviour: string): Started {
  const child = spawn(process.execPath, [SCRIPT, behaviour], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const ended = once(child.stderr as Readable, 'end')
  return { child, exit, log: ended.then(() => log) }
}

async function ready({ child }: Started) {
  if (child.stdout === null) throw new Error('no standard output')
  for await (const line of createInterface({ input: child.stdout })) return parseReadyLine(line)
  return undefined
}

test('one line on standard output says that the node is ready', async () => {
  const started = run('stops')
  expect(await ready(started)).toEqual({
    ready: true,
    api: 'http://127.0.0.1:1',
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    fundingAddress: 'bcrt1p',
    network: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('any other line is not that', () => {
  for (const line of ['', 'ready', '{"ready":true}', '{"ready":false,"api":""}'])
    expect(parseReadyLine(line)).toBeUndefined()
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s stops it in good order', async (signal) => {
  const started = run('stops')
  await ready(started)
  started.child.kill(signal)
  expect(await started.exit).toEqual([0, null])
  expect(await started.log).toMatch(new RegExp(`"why":"${signal}".*stopping`))
})

test('a second signal does not wait', async () => {
  const started = run('hangs')
  await ready(started)
  started.child.kill('SIGTERM')
  await once(started.child.stderr as Readable, 'data')
  started.child.kill('SIGINT')
  expect(await started.exit).toEqual([130, null])
})

test('the end of the process that started it stops it too', async () => {
  const started = run('stops')
  await ready(started)
  started.child.disconnect()
  expect(await started.exit).toEqual([0, null])
})

test('a node that fails later: exit code 1, and why in the log', async () => {
  const started = run('fails-later')
  expect(await started.exit).toEqual([1, null])
  const last = (await started.log).trim().split('\n').at(-1) ?? ''
  expect(JSON.parse(last)).toMatchObject({ level: 60, msg: 'the node failed', err: { message: 'the disk is full' } })
})

test('a node that fails at its start: exit code 1, and one sentence without a stack', async () => {
  const started = run('fails-at-start')
  expect(await started.exit).toEqual([1, null])
  expect(await started.log).toMatch(/^kedge: the node could not start: the port is taken[^\n]*\n$/)
})

test('a node that can’t start where it was put: exit code 1, and one sentence', async () => {
  const started = run('is-not-alone')
  expect(await started.exit).toEqual([1, null])
  expect(await started.log).toBe('kedge: the folder is in use\n')
})

test('a node that fails at stopping', async () => {
  const started = run('fails-at-stop')
  await ready(started)
  started.child.kill('SIGTERM')
  expect(await started.exit).toEqual([1, null])
})
