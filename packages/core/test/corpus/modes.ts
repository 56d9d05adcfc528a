import type { Certificate } from '../../src/certificate.ts'
import { encodeEvidence, verifyEvidence } from '../../src/evidence.ts'
import type { Header } from '../../src/header.ts'
import type { L1Transaction } from '../../src/l1.ts'
import { dataModeOf } from '../../src/mode.ts'
import { networkId, type Params } from '../../src/params.ts'
import { paramsToJson } from '../../src/params-json.ts'
import { encodeHeaderPart, encodeParts, encodeWhole } from '../../src/publication.ts'
import { challengeTransaction, evidenceTransaction, partTransaction, resetCoins } from '../bitcoin.ts'
import { headerEvidence, linkOf } from '../challenger.ts'
import { begun, certificateOf, certifying, contentOf, publishing, signalling, vouch } from '../modes.ts'
import type { Batch, Rollup } from '../rollup.ts'
import { say } from '../trace.ts'
import { secretOf } from '../world.ts'
import { type Json, toJson } from './json.ts'
import { blockToJson, describeChain } from './traces.ts'

/** Both kinds of networks that do more for their data than to have them challenged. */
export function modeVectors(): Json {
  return {
    about:
      'data modes: headers, as evidence behind the first resume → mode and fault (null: none); blocks → what happens in each',
    certified: { ...networkOf(certifying), cases: certificateCases(), blocks: certified() },
    bitcoin: { ...networkOf(publishing), blocks: published() },
  }
}

function networkOf(rules: Params): { [name: string]: Json } {
  return { params: paramsToJson(rules) as Json, network: toJson(networkId(rules)) }
}

function certificateCases(): Json {
  const list: [name: string, count: number, give?: (header: Header) => Certificate][] = [
    ['at the cap without', 7],
    ['above the cap, by watchers 0 and 2', 8, (header) => certificateOf(header, 0, 2)],
    ['at the certified cap, by watchers 1 and 2', 16, (header) => certificateOf(header, 1, 2)],
    ['at the cap with', 7, (header) => certificateOf(header, 0, 1)],
    ['above the cap without', 8],
    ['by one watcher', 8, (header) => certificateOf(header, 1)],
    ['by three watchers', 8, (header) => certificateOf(header, 0, 1, 2)],
    ['by a stranger', 8, (header) => ({ signatures: [vouch(header, 0), vouch(header, 1, secretOf(99))] })],
    ['by a place that nobody has', 8, (header) => certificateOf(header, 0, 3)],
    ['for another header', 8, () => certificateOf(begun(certifying, 9).batch.header, 0, 1)],
    ['above the certified cap', 17, (header) => certificateOf(header, 0, 1)],
  ]
  return list.map(([name, count, give]) => {
    // So that all cases stand behind the same two blocks.
    resetCoins()
    const { rollup, batch: bare } = begun(certifying, count)
    const batch = give === undefined ? bare : rollup.lie({ certificate: give(bare.header) })
    const [link, evidence] = [linkOf(rollup, batch), headerEvidence(batch)]
    const verdict = verifyEvidence(rollup.derivation.court, link, evidence)
    const fault = verdict.ok ? verdict.fault : null
    const mode = dataModeOf(certifying, batch.header)
    return { name, mode, evidence: toJson(encodeEvidence(evidence)), link: toJson(link), fault }
  })
}

/** A rollup's blocks so far, told as its beginning, and the means to mine more. */
function telling(rules: Params, rollup: Rollup) {
  const blocks: Json[] = rollup.bitcoin.blocks.map((block) => ({ told: 'the beginning', ...blockToJson(block) }))
  const mine = (told: string, ...transactions: readonly L1Transaction[]) => {
    const events = rollup.mine(...transactions.map((one) => signalling(rules, one))).map(say)
    const block = blockToJson(rollup.bitcoin.block(rollup.bitcoin.height))
    blocks.push({ told, ...block, events, chain: describeChain(rollup.chain) })
  }
  return { blocks, mine }
}

function certified(): Json {
  resetCoins()
  const { rollup, batch: bare } = begun(certifying, 8)
  const batch = rollup.lie({ certificate: certificateOf(bare.header, 0, 2) })
  const { blocks, mine } = telling(certifying, rollup)
  const show = (one: Batch, data: 'data' | 'steps') => partTransaction(one.hash, data, encodeHeaderPart(data, one))
  mine('batch 2 of 8 operations, for which two watchers vouch', rollup.anchor(batch))
  mine('both its challenges', challengeTransaction(batch.hash, 'data'), challengeTransaction(batch.hash, 'steps'))
  mine('its header answers both', show(batch, 'data'), show(batch, 'steps'))
  const second = rollup.put(contentOf(batch.header.post, 8, 7))
  const lone = rollup.lie({ certificate: certificateOf(second.header, 1) })
  mine('batch 3, for which one vouches; a challenge', rollup.anchor(lone), challengeTransaction(lone.hash, 'data'))
  mine('its header answers nothing', show(lone, 'data'))
  mine(
    'its operations do, and its header is evidence',
    partTransaction(lone.hash, 'data', encodeWhole('data', lone)),
    evidenceTransaction(lone.hash, encodeEvidence(headerEvidence(lone, batch))),
  )
  return blocks
}

function published(): Json {
  resetCoins()
  const { rollup, batch } = begun(publishing, 3)
  const { blocks, mine } = telling(publishing, rollup)
  const [first, second] = encodeParts('data', batch, 2).map((part) => partTransaction(batch.hash, 'data', part))
  if (first === undefined || second === undefined) throw new Error('not two parts')
  mine('the first part of batch 2, in front of its anchor: ignored', first, rollup.anchor(batch))
  mine('the second part, and the first one', second, first)
  const hidden = rollup.put(contentOf(batch.header.post, 3, 7))
  mine('batch 3, whose data are nowhere', rollup.anchor(hidden))
  const child = rollup.put(contentOf(hidden.header.post, 1, 9))
  mine('batch 4 on top of it', rollup.anchor(child))
  mine('one of two parts', partTransaction(hidden.hash, 'data', encodeParts('data', hidden, 2)[1] as Uint8Array))
  mine('the block of the deadline')
  mine('the data, a block too late', partTransaction(hidden.hash, 'data', encodeWhole('data', hidden)))
  return blocks
}
