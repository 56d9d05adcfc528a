import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { createNode } from '../src/libp2p.ts'
import { KnownPeers } from '../src/peers.ts'
import { seed } from './bytes.ts'
import { NETWORK, names, startStranger, until } from './network.ts'

test('what libp2p stores of peers goes when they have gone, not before', async () => {
  const peers = new KnownPeers({
    responseBytes: 1,
    maxStrangers: 10,
    report: () => expect.fail('nothing should be reported'),
  })
  const node = await createNode({
    secretKey: seed(1),
    network: NETWORK,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    topic: names.headers,
    gater: peers.gater,
  })
  peers.follow(node)
  await node.start()
  const [staying, leaving] = [await startStranger(8), await startStranger(9)]
  for (const stranger of [staying, leaving]) await stranger.dial(multiaddr(node.getMultiaddrs()[0]?.toString()))
  await expect.poll(() => node.peerStore.all()).toHaveLength(2)
  await peers.forgetGone(node)
  expect(await node.peerStore.all()).toHaveLength(2)
  await leaving.stop()
  await until('gone', () => peers.list(names.submit).length === 1)
  await peers.forgetGone(node)
  const left = (await node.peerStore.all()).map(({ id }) => id.toString())
  expect(left).toEqual([staying.peerId.toString()])
  peers.stop()
  await node.stop()
})
