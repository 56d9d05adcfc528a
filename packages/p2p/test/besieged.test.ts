import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { toHex } from '@kedge/core'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import type { DataRequest } from '../src/control.ts'
import type { Host } from '../src/host.ts'
import { hash, pattern, soon } from './bytes.ts'
import { addressOf, NETWORK, names, startHost, startStranger, until, untilConnected } from './network.ts'

/** Peers whose names cost nothing keep all of a host's places, and an honest one still has to be answered. */

const MIB = 1024 * 1024
const request: DataRequest = { headerHash: hash(7), kind: 'steps' }
const accept = () => true
const ATTACKERS = 12

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Answers whatever it is asked, at once. */
function startServer(): Promise<Host> {
  return startHost(1, {
    answerData: ({ kind }) => Promise.resolve(kind === 'data' ? new Uint8Array(4 * MIB) : pattern(MIB)),
    takeTransfers: (transfers) => Promise.resolve(transfers),
    answerWatcher: (asked) => Promise.resolve(asked),
    answerCertify: (asked) => Promise.resolve(asked),
    answerBond: (message) => Promise.resolve(message),
  })
}

async function besiege(host: Host, attack: 'drip' | 'sip' | 'flood'): Promise<void> {
  const program = fileURLToPath(new URL('attacker.mjs', import.meta.url))
  const child = fork(program, [attack, addressOf(host), toHex(NETWORK), toHex(hash(7)), String(ATTACKERS)])
  children.push(child)
  await new Promise((resolve) => child.once('message', resolve))
  expect(host.peers()).toHaveLength(ATTACKERS)
  await sleep(500)
}

async function timed(work: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work
  return performance.now() - start
}

async function expectAnswered(client: Host): Promise<void> {
  const answers: Uint8Array[] = []
  const take = (answer: Uint8Array) => answers.push(answer) > 0
  const times = {
    data: await timed(
      client.fetch(request, { signal: soon(), accept }).then((bytes) => expect(bytes).toHaveLength(MIB)),
    ),
    submit: await timed(client.submit(pattern(200_000), soon())),
    vault: await timed(client.askWatchers(pattern(9), { signal: soon(), take })),
    certify: await timed(client.askToCertify(pattern(9), { signal: soon(), take })),
    bond: await timed(client.askBond(pattern(9), soon()).then((all) => answers.push(...all))),
  }
  expect(answers).toEqual([pattern(9), pattern(9), pattern(9)])
  for (const [protocol, ms] of Object.entries(times)) expect([protocol, ms < 6_000]).toEqual([protocol, true])
}

function memory(): number {
  return process.memoryUsage().rss
}

test('strangers who say they have everything and let whoever asks wait keep nobody from a peer that has it', async () => {
  const server = await startServer()
  const client = await startHost(2, { bootstrap: [addressOf(server)] })
  const strangers = await Promise.all(Array.from({ length: 6 }, (_, at) => startStranger(20 + at)))
  for (const stranger of strangers) {
    await stranger.handle(names.data, () => undefined)
    await stranger.dial(multiaddr(addressOf(client)))
    await sleep(130)
  }
  await until('all there', () => client.peers().length === strangers.length + 1)
  for (let round = 0; round < 4; round++)
    expect(await timed(client.fetch(request, { signal: soon(), accept }))).toBeLessThan(1_000)
  await server.stop()
  // One that this host did not choose is found among them too.
  const other = await startHost(3, { bootstrap: [addressOf(client)], answerData: () => Promise.resolve(pattern(9)) })
  await until('there too', () => client.peers().some(({ id }) => id === other.peerId))
  expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(9))
})

/** The last one takes a core for as long as it goes on, which the rest of the normal run needs. */
const ATTACKS = [
  ['who send a byte now and then', 'drip'],
  ['who take a byte of long responses now and then', 'sip'],
  ['who ask as fast as they are answered', 'flood'],
] as const

describe('a host whose places strangers want for themselves answers another stranger', () => {
  test.each(ATTACKS.slice(0, process.env.KEDGE_CHAOS ? undefined : 2))('%s', { timeout: 30_000 }, async (_, attack) => {
    const server = await startServer()
    const before = memory()
    await besiege(server, attack)
    const client = await startHost(2, { bootstrap: [addressOf(server)] })
    await untilConnected(client)
    await expectAnswered(client)
    expect(memory() - before).toBeLessThan(300 * MIB)
  })
})
