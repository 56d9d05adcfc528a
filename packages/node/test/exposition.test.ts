import { expect, test } from 'vitest'
import { type Metric, printMetrics } from '../src/exposition.ts'

const gauge = (name: string, ...samples: Metric['samples']): Metric => ({ name, type: 'gauge', help: 'It.', samples })

test('a metric is its help, its type and its samples', () => {
  const counted: Metric = { ...gauge('kedge_seen_total', { value: 7 }), type: 'counter', help: 'Seen.' }
  const labelled = gauge(
    'kedge_left_blocks',
    { labels: { batch: '7', kind: 'data' }, value: -3 },
    { labels: { batch: '8', kind: 'data' }, value: 0.125 },
  )
  expect(printMetrics([counted, labelled])).toBe(`# HELP kedge_seen_total Seen.
# TYPE kedge_seen_total counter
kedge_seen_total 7
# HELP kedge_left_blocks It.
# TYPE kedge_left_blocks gauge
kedge_left_blocks{batch="7",kind="data"} -3
kedge_left_blocks{batch="8",kind="data"} 0.125
`)
})

test('satoshis come to the last digit, and numbers as Prometheus writes them', () => {
  const print = (value: number | bigint) => printMetrics([gauge('a', { value })]).split('\n')[2]
  expect(print(2_100_000_000_000_000n)).toBe('a 2100000000000000')
  expect([1e21, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(print)).toEqual([
    'a 1e+21',
    'a +Inf',
    'a -Inf',
    'a NaN',
  ])
})

test('text of others can’t break out of its line', () => {
  const hostile = 'a"} 1\nkedge_synced 1\\'
  const metric = { ...gauge('a', { labels: { engine: hostile }, value: 1 }), help: `x\ny\\` }
  expect(printMetrics([metric])).toBe(
    '# HELP a x\\ny\\\\\n# TYPE a gauge\na{engine="a\\"} 1\\nkedge_synced 1\\\\"} 1\n',
  )
})

test('what is unknown is left out; names that Prometheus refuses, and doubles, are errors', () => {
  expect(printMetrics([gauge('a')])).toBe('')
  for (const name of ['', 'A', '1a', 'a-b', 'a b', 'a\n']) {
    expect(() => printMetrics([gauge(name, { value: 1 })])).toThrow('is no name')
    expect(() => printMetrics([gauge('a', { labels: { [name]: '' }, value: 1 })])).toThrow('is no name')
  }
  expect(() => printMetrics([gauge('a', { value: 1 }), gauge('a', { value: 1 })])).toThrow('twice')
  const same = { labels: { batch: '1' }, value: 1 }
  expect(() => printMetrics([gauge('a', same, same)])).toThrow('twice')
})
