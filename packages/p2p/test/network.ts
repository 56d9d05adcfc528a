import '../src/polyfill.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, expect } from 'vitest'
import { createHost, type Host, type HostOptions } from '../src/host.ts'
import { protocolNames } from '../src/protocol.ts'
import { seed } from './bytes.ts'

/** Real hosts over loopback TCP. Whatever a test starts is stopped after it. */

export const NETWORK = Uint8Array.from({ length: 32 }, (_, at) => at + 1)
export const names = protocolNames(NETWORK)

const started: { stop(): Promise<void> | void }[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.stop()))
})

/** A host that has nothing, believes every header, and fails the test when a callback of it throws. */
export async function startHost(number: number, options: Partial<HostOptions> = {}): Promise<Host> {
  const host = await createHost({
    secretKey: seed(number),
    network: NETWORK,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    validateHeader: () => 'accept',
    answerData: () => Promise.resolve(undefined),
    report: (error) => expect.fail(`reported: ${error.message}, ${String(error.cause)}`),
    ...options,
  })
  started.push(host)
  return host
}

export type Stranger = Libp2p<{ identify: Identify; pubsub: GossipSub }>

/** A peer without any of the host's bounds: it opens streams and sends what it likes. */
export async function startStranger(number: number): Promise<Stranger> {
  const node = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed(number)),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise({ prologueBytes: NETWORK })],
    streamMuxers: [yamux({ maxOutboundStreams: 5_000 })],
    services: {
      identify: identify(),
      pubsub: gossipsub({ globalSignaturePolicy: StrictNoSign, allowPublishToZeroTopicPeers: true }),
    },
  })
  started.push(node)
  return node
}

export function addressOf(host: Host): string {
  const [address] = host.addresses()
  if (address === undefined) throw new Error('the host listens nowhere')
  return address
}

/** Waits until `holds`, failing after `ms`. */
export async function until(what: string, holds: () => boolean, ms = 5_000): Promise<void> {
  const end = performance.now() + ms
  while (!holds()) {
    if (performance.now() > end) expect.fail(`after ${ms} ms not: ${what}`)
    await sleep(10)
  }
}

export async function untilConnected(...hosts: Host[]): Promise<void> {
  for (const host of hosts) await until('connected', () => host.peers().length > 0)
}
