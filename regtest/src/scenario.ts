import type { Stage } from './stage.ts'

/** Something that the demo shows, and checks while it shows it. */
export interface Scenario {
  /** For --only. */
  readonly name: string
  readonly title: string
  /** @throws Error when a check fails */
  readonly run: (stage: Stage) => Promise<void>
}

/** What a scenario found to be otherwise than it should. */
export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}
