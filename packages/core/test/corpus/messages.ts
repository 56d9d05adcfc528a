import { encodeMessage, type Message, resumeAnchor } from '../../src/message.ts'
import { dataCarrierScript } from '../../src/scripts.ts'
import { bytes32 } from '../world.ts'
import { type Json, toJson } from './json.ts'

export function messageVectors(): Json {
  const messages: Message[] = [
    { kind: 'batch', headerHash: bytes32(1), word: bytes32(2), mark: bytes32(3).slice(0, 7) },
    { kind: 'batch', headerHash: bytes32(0xff), word: bytes32(0), mark: bytes32(0xff).slice(0, 7) },
    resumeAnchor(bytes32(3), bytes32(6)),
    { kind: 'deposit', key: bytes32(4), refundKey: bytes32(5) },
    { kind: 'challenge', headerHash: bytes32(6), data: 'data' },
    { kind: 'challenge', headerHash: bytes32(6), data: 'steps' },
    { kind: 'part', headerHash: bytes32(7), data: 'data' },
    { kind: 'part', headerHash: bytes32(7), data: 'steps' },
    { kind: 'evidence', headerHash: bytes32(8) },
    { kind: 'payout', headerHash: bytes32(9), claims: [7] },
    { kind: 'payout', headerHash: bytes32(9), claims: [0, 1, 9, 311] },
    { kind: 'payout', headerHash: bytes32(9), claims: [0xffffffff] },
    { kind: 'forced' },
    { kind: 'bond', signature: new Uint8Array(64).fill(10) },
  ]
  const right = messages.map((message) => {
    const payload = encodeMessage(message)
    return { message: toJson(message), payload: toJson(payload), script: toJson(dataCarrierScript(payload)) }
  })
  const [batch, , , deposit, challenge, , , , evidence, payout] = messages.map(encodeMessage) as [
    ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
    ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
  ]
  const wrong: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['the magic alone', batch.slice(0, 4)],
    ['another magic', batch.with(3, 0x46)],
    ['an unknown kind', batch.with(4, 3)],
    ['kind 0', batch.with(4, 0)],
    ['a batch a byte short', batch.slice(0, -1)],
    ['a batch a byte long', new Uint8Array([...batch, 0])],
    ['a deposit a byte long', new Uint8Array([...deposit, 0])],
    ['a challenge for data of kind 0', challenge.with(37, 0)],
    ['a challenge for data of kind 3', challenge.with(37, 3)],
    ['a challenge without a kind of data', challenge.slice(0, -1)],
    ['evidence with a byte behind it', new Uint8Array([...evidence, 1])],
    ['a bond with half a signature', Uint8Array.of(...batch.slice(0, 4), 22, ...bytes32(10))],
    ['forced with a byte behind it', Uint8Array.of(...batch.slice(0, 4), 21, 0)],
    ['a payout without a bitmap', payout.slice(0, -1)],
    ['a payout whose bitmap does not begin with its first claim', payout.with(41, 2)],
    ['a payout whose bitmap ends in zeros', new Uint8Array([...payout, 0])],
    ['a payout whose bitmap is too long', new Uint8Array([...payout, ...bytes32(0), 0, 0, 0, 0, 0, 0, 1])],
    ['a payout of claims beyond a u32', new Uint8Array([...payout.with(37, 0xf8).fill(0xff, 38, 41), 1])],
  ]
  const refused = wrong.map(([name, payload]) => ({ name, payload: toJson(payload) }))
  return {
    about:
      'payloads of the one OP_RETURN output, and scripts that carry them; what decodes to nothing stands under refused',
    messages: right,
    refused,
  }
}
