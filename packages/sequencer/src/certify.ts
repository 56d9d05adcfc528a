import { signHash } from '@kedge/bitcoin'
import {
  type BatchPlace,
  type BuiltHeader,
  batchAnchor,
  type Certifiable,
  type Certificate,
  certifiableOf,
  certifyMessage,
  decodeCertifyAnswer,
  encodeCertifyRequest,
  encodeHeader,
  encodeWhole,
  headerHash,
  type SealedBatch,
  type SlotFields,
  type WatcherSignature,
} from '@kedge/core'
import { checkSignatures, type NodeParts } from '@kedge/node'
import { isSigned } from './carry.ts'
import type { JournalGroup } from './journal.ts'
import type { OpenBatch } from './open-batch.ts'
import { rewriteGroups, type Sealing, sealBatch } from './seal.ts'
import type { Ticks } from './ticks.ts'

export interface CertifyingParts {
  readonly node: Pick<NodeParts, 'options' | 'host' | 'data'>
  /** Spends the anchor chain's links; watchers hold data for nobody else. */
  readonly anchor: Uint8Array
}

/** For the watchers to fetch some 16 MB and hash them. The batches behind wait meanwhile. */
const ASK_MS = 10_000

/** After watchers were not to be had, batches stay small for so long: twice as long each time, up to a quarter of an hour. */
const CALM_MS = 60_000
const CALM_MAX_MS = 900_000

/** Gets watchers to vouch for the data of batches above the cap. */
export class Certifying {
  private readonly parts: CertifyingParts
  private calmUntil = 0
  private calmMs = CALM_MS

  constructor(parts: CertifyingParts) {
    this.parts = parts
  }

  /** Whether it is worth taking more into a batch than it may hold without them. */
  get isHopeful(): boolean {
    return performance.now() >= this.calmUntil
  }

  /** Undefined where too few vouch in time. What is offered to them is at hand for as long as they are asked. */
  async certify(sealed: SealedBatch & BuiltHeader): Promise<Certificate | undefined> {
    const { data, options } = this.parts.node
    const asked = certifiableOf(sealed.header)
    const whole = { ...sealed, headerBytes: asked.bytes }
    const offer = { header: asked.bytes, data: encodeWhole('data', whole), steps: encodeWhole('steps', whole) }
    data.offer({ hash: asked.hash, ...offer })
    const { given, refused } = await this.ask(asked)
    data.offer(undefined)
    const { threshold } = options.params.keys
    const signatures = [...given.values()].sort((a, b) => a.place - b.place).slice(0, threshold)
    if (signatures.length === threshold) {
      this.calmMs = CALM_MS
      return { signatures }
    }
    this.calmUntil = performance.now() + this.calmMs
    this.calmMs = Math.min(2 * this.calmMs, CALM_MAX_MS)
    const { number, opCount } = sealed.header
    options.log.warn(
      { number, operations: opCount, vouched: given.size, refused },
      'too few watchers vouch for a batch',
    )
    return undefined
  }

  /** Until enough have signed, all have answered, or time is up. */
  private async ask(
    asked: Certifiable,
  ): Promise<{ given: ReadonlyMap<number, WatcherSignature>; refused: readonly string[] }> {
    const { host, options } = this.parts.node
    const given = new Map<number, WatcherSignature>()
    const refused: string[] = []
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), ASK_MS)
    const take = (bytes: Uint8Array) => {
      const answer = decodeCertifyAnswer(options.params, asked, bytes)
      if (typeof answer === 'string') refused.push(answer)
      else if (answer !== undefined) given.set(answer.place, answer)
      if (given.size >= options.params.keys.threshold) over.abort()
      return typeof answer === 'object'
    }
    try {
      const request = encodeCertifyRequest(asked, signHash(certifyMessage(asked), this.parts.anchor))
      await host.askToCertify(request, { signal: over.signal, take })
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      clearTimeout(timer)
    }
    return { given, refused }
  }
}

export interface GrownParts {
  readonly node: NodeParts
  readonly certifying: Certifying
  readonly openAt: (place: BatchPlace) => OpenBatch
}

/**
 * Seals a batch that has grown above the cap: under a certificate, whole; else as far as it was promised, and the rest is
 * its ticks' `surplus`. Order of effects: all of it is on disk; watchers vouch for the header; only then is the header committed
 * to. What is above the cap is not promised before, so a crash in between may end with the smaller batch.
 */
export async function sealGrown(parts: GrownParts, open: Ticks, fields: Promise<SlotFields>): Promise<Sealing> {
  const { node, certifying } = parts
  const { executor } = node
  await open.finish()
  const honest = await open.batch.seal(fields)
  const certificate = await certifying.certify(honest)
  if (certificate === undefined) {
    executor.ledger.undo(honest.delta)
    open.shrink(await promisedPart(parts, open.batch))
    return sealBatch(open, node, undefined, fields)
  }
  const header = { ...honest.header, certificate }
  const bytes = encodeHeader(header)
  const built = { header, bytes, hash: headerHash(bytes) }
  const writes = executor.writesOf(built.hash, bytes, honest, {
    operations: rewriteGroups(built, honest, open.groups),
    steps: encodeWhole('steps', { ...honest, headerBytes: bytes }),
  })
  return { anchor: batchAnchor(header, built.hash), built, honest, writes }
}

/** The same batch once more, on the ledger in front of it, with nothing but what was promised. */
async function promisedPart({ node, openAt }: GrownParts, grown: OpenBatch): Promise<OpenBatch> {
  const bytes = grown.operations.slice(0, grown.promisable).filter(isSigned)
  const { signers } = await checkSignatures(node.verifier, node.executor.ledger.tree, bytes)
  const kept = openAt(grown.place)
  if (!bytes.every((each, at) => kept.addAgain(each, signers[at])) || kept.count !== grown.promisable)
    throw new Error('what was promised does not stand without what came after it')
  kept.markPromised()
  return kept
}

/** An open batch that is filled once more: it grows where it had before. */
export function regrown(batch: OpenBatch, cap: number): OpenBatch {
  if (batch.count === cap && !batch.isGrown) batch.grow()
  return batch
}

/** The first of a batch's groups with operations above the cap. */
export function firstAbove(groups: readonly JournalGroup[], cap: number): number | undefined {
  let count = 0
  return groups.find(({ operations }) => {
    count += operations.length
    return count > cap
  })?.sequence
}
