import { performance } from 'node:perf_hooks'

/** The middle of some samples, and how far they lie apart. */
export interface Spread {
  readonly value: number
  readonly min: number
  readonly max: number
}

/** A way to do something: prepares, then does it once and says how many units of work that was. */
export interface Case {
  /** Not timed. What it returns is what is timed, and gives the number of units done. */
  prepare(): () => number | Promise<number>
}

/**
 * Milliseconds a unit of each case. All cases run once a round, in rotated order, so that a slow minute of the machine
 * hits every case alike; the first round only warms up.
 */
export async function measureRounds<N extends string>(
  cases: Readonly<Record<N, Case>>,
  rounds: number,
): Promise<Record<N, Spread>> {
  const names = Object.keys(cases) as N[]
  const samples = new Map(names.map((name) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(at + round) % names.length] as N
      const sample = await timeOnce(cases[name])
      if (round > 0) samples.get(name)?.push(sample)
    }
  }
  return Object.fromEntries(names.map((name) => [name, spreadOf(samples.get(name) ?? [])])) as Record<N, Spread>
}

async function timeOnce(one: Case): Promise<number> {
  const work = one.prepare()
  const start = performance.now()
  const units = await work()
  return (performance.now() - start) / units
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted[sorted.length >> 1]
  if (middle === undefined) throw new RangeError('nothing was measured')
  return { value: middle, min: sorted[0] as number, max: sorted.at(-1) as number }
}

/** From time a unit to units a time, or to another unit of time. */
function mapSpread({ value, min, max }: Spread, map: (sample: number) => number): Spread {
  const ends = [map(min), map(max)]
  return { value: map(value), min: Math.min(...ends), max: Math.max(...ends) }
}

export const toMicroseconds = (spread: Spread): Spread => mapSpread(spread, (ms) => ms * 1000)

export const toPerSecond = (spread: Spread): Spread => mapSpread(spread, (ms) => 1000 / ms)
