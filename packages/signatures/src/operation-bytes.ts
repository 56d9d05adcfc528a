import type * as core from '@kedge/core'

/**
 * What is asked of core about the bytes of operations. The compiler holds these to core's own numbers; at run time they
 * stand alone, because a worker thread would take longer to load core for them than for everything else that it does.
 */
export const TRANSFER_KIND: typeof core.TRANSFER_KIND = 1
export const TRANSFER_BYTES: typeof core.TRANSFER_BYTES = 174
export const WITHDRAWAL_KIND: typeof core.WITHDRAWAL_KIND = 4
export const WITHDRAWAL_BYTES: typeof core.WITHDRAWAL_BYTES = 142
