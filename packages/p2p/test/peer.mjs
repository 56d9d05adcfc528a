import { createHost } from '../dist/index.js'

/**
 * A peer in a process of its own, made of the built package: argument 1 is the seed's number, 2 a bootstrap address.
 * Asked for steps, it dies.
 */

const [, , number, bootstrap] = process.argv
const body = new Uint8Array(2 * 1024 * 1024).map((_, at) => at & 0xff)

const host = await createHost({
  secretKey: new Uint8Array(32).fill(Number(number)),
  network: Uint8Array.from({ length: 32 }, (_, at) => at + 1),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  bootstrap: [bootstrap],
  validateHeader: () => 'accept',
  answerData: ({ kind }) => {
    if (kind === 'steps') process.kill(process.pid, 'SIGKILL')
    return Promise.resolve(kind === 'data' ? body : undefined)
  },
  takeTransfers: (transfers) => Promise.resolve(transfers.toReversed()),
  report: (error) => process.send({ report: error.message }),
})
host.subscribe((header) => process.send({ header: Buffer.from(header).toString('hex') }))
process.on('message', async (message) => {
  if (message.announce !== undefined) await host.announce(Buffer.from(message.announce, 'hex'))
  if (message.stop === true) {
    await host.stop()
    process.disconnect()
  }
})
process.send({ peerId: host.peerId })
