import type { Scenario } from './scenario.ts'
import { equivocation } from './scenarios/equivocation.ts'
import { exit } from './scenarios/exit.ts'
import { ladder } from './scenarios/ladder.ts'
import { lateJoiner } from './scenarios/late-joiner.ts'
import { lies } from './scenarios/lies.ts'
import { payments } from './scenarios/payments.ts'

/** In the order in which the demo plays them; each can also be played alone. The last one ends the chain of batches. */
export const SCENARIOS: readonly Scenario[] = [ladder, payments, equivocation, ...lies, lateJoiner, exit]
