/** Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */

export interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  /** For people: what it says, in which unit. */
  readonly help: string
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number | bigint
}

const NAME = /^[a-z][a-z0-9_]*$/

/**
 * A metric without samples is left out: nothing is known of it now.
 * @throws RangeError for a name or a label that Prometheus does not take, and for what is said twice
 */
export function printMetrics(metrics: readonly Metric[]): string {
  const said = new Set<string>()
  const once = (what: string) => {
    if (said.has(what)) throw new RangeError(`${what} is there twice`)
    said.add(what)
    return what
  }
  const blocks = metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      expectName(name)
      once(`metric ${name}`)
      const lines = samples.map(
        ({ labels = {}, value }) => `${once(name + printLabels(labels))} ${printValue(value)}\n`,
      )
      return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
    })
  return blocks.join('')
}

function printLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    expectName(name)
    return `${name}="${escapeText(value).replaceAll('"', '\\"')}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function expectName(name: string): void {
  if (!NAME.test(name)) throw new RangeError(`${name} is no name for a metric or a label`)
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function printValue(value: number | bigint): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
