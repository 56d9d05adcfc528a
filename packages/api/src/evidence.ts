import { z } from 'zod'
import { hash, height, PAGE_LIMIT_MAX, position, reason, sentence, txid, u32 } from './fields.ts'

/** A message on Bitcoin about a batch, and what it did. */
const evidence = z
  .object({
    height,
    txid,
    headerHash: hash,
    /** The batch's number, where some link has committed to that header. */
    number: u32.optional(),
    kind: z.enum(['evidence', 'challenge', 'part']),
    /** `void`: it voided the batch. `raised`: the challenge counts. `part`: it answers in part. `answered`: with it in full. */
    outcome: z.enum(['void', 'raised', 'part', 'answered', 'ignored']),
    /** What a challenge asks for, or a part answers with. */
    data: z.enum(['data', 'steps']).optional(),
    /** The last height at which a raised challenge can be answered. */
    deadline: height.optional(),
    /** Why it was ignored. */
    reason: sentence.optional(),
    /** The fault that evidence proved. */
    fault: reason.optional(),
  })
  .meta({ id: 'Evidence' })

export type Evidence = z.output<typeof evidence>

/** Newest first. */
export const evidencePage = z
  .object({ evidence: z.array(evidence).max(PAGE_LIMIT_MAX), next: position.optional() })
  .meta({ id: 'EvidencePage' })

export type EvidencePage = z.output<typeof evidencePage>
