/** One figure of the benchmark. Names are stable: others compare runs by them. */
export interface Row {
  readonly name: string
  readonly unit: string
  /** The median of the rounds, or the mean over a sustained run. */
  readonly value: number
  readonly min: number
  readonly max: number
  /** What this machine can do at most here, measured in the same run. */
  readonly limit?: number
  /** What this project wants to reach. */
  readonly goal?: Goal
  /** Other ways to do the same, measured in the same run. */
  readonly peers?: Readonly<Record<string, number>>
}

export interface Goal {
  readonly is: 'at least' | 'at most'
  readonly value: number
}

/** What measures some rows together, because they share what has to be set up, or are compared with each other. */
export interface Measurement {
  readonly rows: readonly string[]
  /** One sentence, printed while it runs. */
  readonly does: string
  /** @param say prints a line of progress */
  run(say: (line: string) => void): Promise<readonly Row[]> | readonly Row[]
}

/** Whether a row does what it should; undefined where nothing is asked of it. */
export function meetsGoal({ goal, value }: Row): boolean | undefined {
  if (goal === undefined) return undefined
  return goal.is === 'at least' ? value >= goal.value : value <= goal.value
}
