/** A set of whole numbers: disjoint runs [start, end), ascending, of which no two meet. Its size is that of its gaps. */
export type Runs = readonly (readonly [start: number, end: number])[]

/** Adds a run, joining those that meet. */
export function cover(runs: Runs, run: readonly [number, number]): Runs {
  let [start, end] = run
  const apart: (readonly [number, number])[] = []
  for (const [from, to] of runs) {
    if (to < start || from > end) apart.push([from, to])
    else [start, end] = [Math.min(from, start), Math.max(to, end)]
  }
  return [...apart, [start, end] as const].sort((a, b) => a[0] - b[0])
}

export function isIn(runs: Runs, at: number): boolean {
  const run = runs[firstEndingAfter(runs, at)]
  return run !== undefined && run[0] <= at
}

/** What of [start, end) the runs leave out. */
export function gapsIn(runs: Runs, start: number, end: number): Runs {
  const gaps: (readonly [number, number])[] = []
  let at = start
  for (let next = firstEndingAfter(runs, start); at < end && next < runs.length; next++) {
    const [from, to] = runs[next] as Runs[number]
    if (from > at) gaps.push([at, Math.min(from, end)])
    at = to
  }
  return at < end ? [...gaps, [at, end]] : gaps
}

/** The numbers in the runs, one by one, at most `limit`. */
export function numbersIn(runs: Runs, limit = Number.POSITIVE_INFINITY): number[] {
  const numbers: number[] = []
  for (const [start, end] of runs) {
    for (let at = start; at < end; at++) {
      if (numbers.length >= limit) return numbers
      numbers.push(at)
    }
  }
  return numbers
}

/** By halves. */
function firstEndingAfter(runs: Runs, at: number): number {
  let [low, high] = [0, runs.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle] as Runs[number])[1] <= at) low = middle + 1
    else high = middle
  }
  return low
}
