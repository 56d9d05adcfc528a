import type { NetworkOptions } from './network.ts'
import type { Stage } from './stage.ts'

/** Something that the demo shows, and checks while it shows it. */
export interface Scenario {
  /** For --only. */
  readonly name: string
  readonly title: string
  /** The demo plays it, with the others of which this is true, on a second network beside the first. */
  readonly isBeside?: true
  /** It is played on a network of its own, which differs in this. */
  readonly alone?: Partial<NetworkOptions>
  /** @throws Error when a check fails */
  readonly run: (stage: Stage) => Promise<void>
}

/** What a scenario found to be otherwise than it should. */
export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}
