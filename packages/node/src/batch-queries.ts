import { answer, type Batch, type Evidence, type Header as HeaderView, PAGE_LIMIT, refuse } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import {
  challengesOf,
  dataModeOf,
  decodeHeader,
  finalHeight,
  fromHex,
  type Header,
  isOpen,
  operationId,
  toHex,
} from '@kedge/core'
import { groupings, headers, type LinkRecord, type NoticeRecord, notices, operations, verdicts } from '@kedge/storage'
import { noticeKey } from './follow.ts'
import type { BatchLink } from './links.ts'
import type { QueryContext } from './query-context.ts'
import type { Responders } from './serve.ts'

export function batchQueries(
  context: QueryContext,
): Pick<Responders, 'batch' | 'batches' | 'operation' | 'header' | 'evidence'> {
  const { links } = context.node.follower
  return {
    batch: async ({ number }) => {
      const link = links.get(number)
      return link === undefined ? refuse('not-found') : answer(await linkView(context, link, finalHeights(context)))
    },
    operation: async ({ number, index }) => {
      const link = links.get(number)
      const batch = link !== undefined && isBatch(link) ? await context.held.get(link.headerHash) : undefined
      const operation = batch?.operations[index]
      if (batch === undefined || operation === undefined) return refuse('not-found')
      const path = (await batch.prove(index)).map(toHex)
      return answer({ id: toHex(operationId(operation)), operation: toHex(operation), path })
    },
    batches: async ({ before, limit = PAGE_LIMIT }) => {
      const newest = Math.min(links.last?.number ?? 0, before === undefined ? Number.POSITIVE_INFINITY : before - 1)
      const oldest = Math.max(1, newest - limit + 1)
      const heights = finalHeights(context)
      const views: Batch[] = []
      for (let number = newest; number >= oldest; number--) {
        const link = links.get(number)
        if (link !== undefined) views.push(await linkView(context, link, heights))
      }
      return answer({ batches: views, ...(oldest > 1 && { next: oldest }) })
    },
    header: async ({ hash }) => {
      const header = await headerView(context, fromHex(hash))
      return header === undefined ? refuse('not-found') : answer(header)
    },
    evidence: async ({ before, limit = PAGE_LIMIT }) => {
      const to = before === undefined ? {} : { to: noticeKey(before.height, before.tx) }
      const page: { readonly tx: number; readonly notice: NoticeRecord }[] = []
      const range = { ...to, reverse: true, limit: limit + 1 }
      for await (const [key, notice] of context.node.store.range(notices, range)) page.push({ tx: txOf(key), notice })
      const shown = page.slice(0, limit)
      const last = shown.at(-1)
      const next = page.length > limit && last && { height: last.notice.height, tx: last.tx, index: 0 }
      return answer({ evidence: shown.map(({ notice }) => evidenceView(notice)), ...(next && { next }) })
    },
  }
}

async function linkView(context: QueryContext, link: LinkRecord, heights: ReadonlyMap<number, number>): Promise<Batch> {
  const { number, height, txid, headerHash, reason = '' } = link
  const depth = Math.max(0, context.node.follower.chain.height - height + 1)
  const base = { number, anchor: { txid: printHash(txid), height, depth } }
  if (isBatch(link)) return { ...base, ...(await batchView(context, link, heights)) }
  if (link.outcome === 'resume' && headerHash !== undefined) {
    return { outcome: 'resume', ...base, parent: toHex(headerHash) }
  }
  return { outcome: link.outcome === 'close' ? 'close' : 'null', ...base, reason }
}

function isBatch(link: LinkRecord): link is BatchLink {
  return link.outcome === 'batch'
}

async function batchView(context: QueryContext, link: BatchLink, heights: ReadonlyMap<number, number>) {
  const { number, headerHash, voided, finalAt } = link
  const header = await headerView(context, headerHash)
  const final = finalAt ?? (voided === undefined ? heights.get(number) : undefined)
  const verdict = await verdictOn(context, link)
  return {
    outcome: 'batch' as const,
    headerHash: toHex(headerHash),
    status:
      voided !== undefined ? ('void' as const) : finalAt !== undefined ? ('final' as const) : ('anchored' as const),
    ...(header && { header, mode: dataModeOf(context.node.options.params, header) }),
    ...(final !== undefined && { finalHeight: final }),
    ...(voided && { void: voided }),
    challenges: [...(await context.challenges.of(headerHash))],
    data: verdict === 'checked' || (await isHeld(context, headerHash)) ? ('held' as const) : ('missing' as const),
    verdict,
  }
}

/** Heights at which the live batches are final if nothing happens: not known from the first one with an open challenge on. */
function finalHeights({ node }: QueryContext): Map<number, number> {
  const { chain, court } = node.follower
  const heights = new Map<number, number>()
  let height = 0
  for (const batch of chain.line) {
    if (challengesOf(batch).some(isOpen)) break
    height = Math.max(height, finalHeight(court.params, batch))
    heights.set(batch.number, height)
  }
  return heights
}

/** What this node found last; what the ledger contains was checked. */
async function verdictOn(
  { node }: QueryContext,
  { number, headerHash }: BatchLink,
): Promise<'checked' | 'pending' | 'rejected'> {
  const { follower, executor, store } = node
  if (executor.rejection?.number === number) return 'rejected'
  if (number <= executor.head.number && follower.links.isLive(number, headerHash)) return 'checked'
  return (await store.get(verdicts, headerHash))?.verdict ?? 'pending'
}

/** A batch that was once executed is held, and one that was sealed here: which saves reading a megabyte to see it. */
async function isHeld({ node }: QueryContext, headerHash: Uint8Array): Promise<boolean> {
  const { store } = node
  if ((await store.get(verdicts, headerHash))?.verdict === 'checked') return true
  if ((await store.get(groupings, headerHash)) !== undefined) return true
  return (await store.get(operations, headerHash)) !== undefined
}

/** Undefined when the node doesn't hold it, or the bytes behind the hash are no header. */
async function headerView({ node, headerViews }: QueryContext, hash: Uint8Array): Promise<HeaderView | undefined> {
  const name = toHex(hash)
  const known = headerViews.get(name)
  if (known !== undefined) return known
  const bytes = await node.store.get(headers, hash)
  const header = bytes && decodeHeader(bytes)
  if (bytes === undefined || header === undefined) return undefined
  const view = viewOf(name, bytes, header)
  headerViews.put(name, view, 1)
  return view
}

function viewOf(hash: string, bytes: Uint8Array, header: Header): HeaderView {
  const { number, parent, origin, pre, post, opsRoot, stepsRoot, opCount } = header
  return {
    hash,
    bytes: toHex(bytes),
    number,
    parent: toHex(parent),
    origin: { height: origin.height, blockHash: printHash(origin.hash) },
    pre: toHex(pre),
    post: toHex(post),
    opsRoot: toHex(opsRoot),
    stepsRoot: toHex(stepsRoot),
    opCount,
  }
}

function evidenceView(notice: NoticeRecord): Evidence {
  const { height, txid, headerHash, kind, outcome } = notice
  return {
    height,
    txid: printHash(txid),
    headerHash: toHex(headerHash),
    kind,
    outcome,
    ...('number' in notice && { number: notice.number }),
    ...('data' in notice && { data: notice.data }),
    ...('deadline' in notice && { deadline: notice.deadline }),
    ...('reason' in notice && { reason: notice.reason }),
    ...('fault' in notice && { fault: notice.fault }),
  }
}

function txOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(4)
}
