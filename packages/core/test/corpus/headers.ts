import { schnorr } from '@noble/curves/secp256k1.js'
import { concatBytes } from '../../src/bytes.ts'
import { L1Facts } from '../../src/facts.ts'
import { decodeHeader, encodeHeader, type Header, headerHash, judgeHeader, type ParentEnd } from '../../src/header.ts'
import { headerSlotMessage } from '../../src/slot.ts'
import { GENESIS_ROOT } from '../../src/totals.ts'
import { factsOfBlock } from '../facts.ts'
import { slotsOf, tableRootOf } from '../slots.ts'
import { bytes32, network, params, secretOf } from '../world.ts'
import { type Json, toJson } from './json.ts'

const PARENT: ParentEnd = { post: bytes32(0xaa), originHeight: 110, nonceRoot: tableRootOf(6) }

const right: Header = {
  ...{ network, number: 7, parent: bytes32(0xbb), origin: { height: 120, hash: bytes32(120) } },
  ...{ pre: PARENT.post, post: bytes32(0xcc), opsRoot: bytes32(0xdd), stepsRoot: bytes32(0xee), opCount: 5 },
  ...slotsOf(7, { hash: bytes32(0xbb) }),
}
const empty = { post: right.pre, opsRoot: bytes32(0), stepsRoot: bytes32(0), opCount: 0 }

/** Best chain: the block at each height from 101 to 140 has the hash of 32 times its height. */
function vectorFacts(): L1Facts {
  const facts = new L1Facts(params.scanHeight)
  for (let height = 101; height <= 140; height++) facts.append(height, bytes32(height), factsOfBlock())
  return facts
}

export function judgeVector(
  bytes: Uint8Array,
  link: { number: number; post: Uint8Array; parent: Uint8Array; anchorHeight: number },
  parent: ParentEnd,
) {
  const anchored = { ...link, headerHash: headerHash(bytes) }
  return judgeHeader(params, network, vectorFacts(), anchored, parent, decodeHeader(bytes))
}

export function headerVectors(): Json {
  const origin = (height: number, hash = bytes32(height)) => ({ origin: { height, hash } })
  const list: [name: string, change: Partial<Header>, anchorHeight?: number, post?: Uint8Array][] = [
    ['in order', {}],
    ['in order: empty', empty],
    ['in order: as many operations as the cap', { opCount: 64 }],
    ['in order: the origin of the parent', origin(110)],
    ['in order: the youngest origin', origin(130), 131],
    ['in order: the oldest origin', origin(111), 131],
    ['another network', { network: bytes32(1) }],
    ['another number', { number: 8 }],
    ['another parent', { parent: bytes32(1) }],
    ['another post than the anchor', {}, 121, bytes32(1)],
    ['the origin before the parent’s', origin(109)],
    ['one operation too many', { opCount: 65 }],
    ['another pre than the parent’s post', { pre: bytes32(1) }],
    ['empty, but the state moves', { ...empty, post: right.post }],
    ['empty, but with an operations root', { ...empty, opsRoot: bytes32(1) }],
    ['empty, but with a steps root', { ...empty, stepsRoot: bytes32(1) }],
    ['the parent not signed', { prevSig: new Uint8Array(96) }],
    ['another signature of the parent', { prevSig: right.prevSig.with(40, 1) }],
    ['another root of the parent’s ticks', { prevSig: right.prevSig.with(80, 1) }],
    ['another header signed', { prevSig: slotsOf(7, { hash: bytes32(1) }).prevSig }],
    ['another table of nonces', { prevSig: concatBytes(otherNonce(), right.prevSig.slice(64)) }],
    ['the origin too young', origin(131), 131],
    ['the origin too old', origin(120), 141],
    ['the origin not in the best chain', origin(120, bytes32(1))],
    ['the origin above the tip', origin(141), 142],
  ]
  const cases = list.map(([name, change, anchorHeight = 121, anchored]) => {
    const header = { ...right, ...change }
    const bytes = encodeHeader(header)
    const link = { number: right.number, parent: right.parent, post: anchored ?? header.post, anchorHeight }
    const fault = judgeVector(bytes, link, PARENT)
    return {
      ...{ name, header: toJson(header), bytes: toJson(bytes), hash: toJson(headerHash(bytes)) },
      ...{ link: toJson(link), fault: toJson(fault) },
    }
  })
  const empty96 = new Uint8Array(96)
  const resumed = [right, { ...right, prevSig: empty96 }].map((header) => {
    const bytes = encodeHeader(header)
    const link = { number: right.number, parent: right.parent, post: header.post, anchorHeight: 121 }
    const { nonceRoot: _, ...end } = PARENT
    return { bytes: toJson(bytes), link: toJson(link), fault: toJson(judgeVector(bytes, link, end)) }
  })
  return {
    about:
      'judgeHeader: a header against its link and its parent’s end, where block h of the best chain, 101 to 140, has the hash of 32 bytes h; fault null: in order',
    network: toJson(network),
    parent: toJson(PARENT),
    genesisPost: toJson(GENESIS_ROOT),
    cases,
    /** The link before is a resume. */
    resumed,
    malformed: malformed(encodeHeader(right)),
  }
}

/** A signature of the parent with a nonce that was fixed for nothing. */
function otherNonce(): Uint8Array {
  return schnorr.sign(headerSlotMessage(network, 6, bytes32(0xbb)), secretOf(2), bytes32(0))
}

function malformed(bytes: Uint8Array): Json {
  const list: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a byte short', bytes.slice(0, -1)],
    ['a byte long', new Uint8Array([...bytes, 0])],
    ['another version', bytes.with(0, 2)],
    ['a certificate', bytes.with(bytes.length - 2, 1)],
  ]
  return list.map(([name, one]) => ({ name, bytes: toJson(one), hash: toJson(headerHash(one)) }))
}
