import { z } from 'zod'
import { bytes, PAGE_LIMIT_MAX } from './fields.ts'

/** What a payment proof is checked against: 80 bytes for each block, one after the other. */
export const blockHeaders = z.object({ headers: bytes(80 * PAGE_LIMIT_MAX) }).meta({ id: 'BlockHeaders' })
