import { z } from 'zod'

/** Prometheus' text format: each metric with a line that says what it is. */
export const metrics = z.string().max(1_000_000).meta({ id: 'Metrics' })
