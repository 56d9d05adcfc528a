import type { Scenario } from './scenario.ts'
import { answered } from './scenarios/answered.ts'
import { brokenPromise } from './scenarios/broken-promise.ts'
import { censored } from './scenarios/censored.ts'
import { equivocation } from './scenarios/equivocation.ts'
import { exit } from './scenarios/exit.ts'
import { ladder } from './scenarios/ladder.ts'
import { lateJoiner } from './scenarios/late-joiner.ts'
import { lies } from './scenarios/lies.ts'
import { payments } from './scenarios/payments.ts'
import { withdraw } from './scenarios/withdraw.ts'

/** In the order in which the demo plays them; each can also be played alone. The last one ends the chain of batches. */
export const SCENARIOS: readonly Scenario[] = [
  ladder,
  payments,
  withdraw,
  equivocation,
  brokenPromise,
  ...lies,
  answered,
  censored,
  lateJoiner,
  exit,
]
