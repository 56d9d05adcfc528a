import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseFile, walk } from '../scripts/layers/parse.mjs'
import { ENFORCED } from './enforced.ts'

/** The README's table "who enforces what" is true as long as these tests are there, run, and pass. */

const ROOT = new URL('..', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')

interface Row {
  readonly what: string
  readonly who: string
  readonly how: string
}

/** The rows under a heading, links as their text. */
function tableUnder(heading: string): Row[] {
  const [, section = ''] = read('README.md').split(`## ${heading}\n`)
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(1).map((line) => {
    const [what = '', who = '', how = '', ...more] = line.slice(2).replace(/ \|$/, '').split(' | ')
    if (more.length > 0) throw new Error(`a row of more than three cells: ${line}`)
    return { what: plain(what), who: plain(who), how: plain(how) }
  })
}

function plain(markdown: string): string {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll("'", '’')
    .trim()
}

type Node = ReturnType<typeof parseFile>['program']

/** The names in front of a call's arguments: `test.each(list)('title')` is test, each. */
function chainOf(callee: Node): string[] {
  if (callee.type === 'Identifier') return [callee.name]
  if (callee.type === 'CallExpression') return chainOf(callee.callee)
  if (callee.type === 'MemberExpression') return [...chainOf(callee.object), callee.property.name ?? '']
  return []
}

const STILL = ['skip', 'todo', 'fails', 'only']
const isStill = (call: Node): boolean =>
  call.type === 'CallExpression' &&
  (chainOf(call.callee).some((name) => STILL.includes(name)) || isDecided(call.callee))

/** Whether a condition that is none says that it runs, or does not: `test.skipIf(true)('title')`. */
function isDecided(call: Node): boolean {
  if (call.type !== 'CallExpression') return false
  const isConditional = ['skipIf', 'runIf'].includes(chainOf(call.callee).at(-1) ?? '')
  return (isConditional && call.arguments[0]?.type === 'Literal') || isDecided(call.callee)
}

function titleOf({ arguments: [first] }: Node): string | undefined {
  if (first?.type === 'Literal' && typeof first.value === 'string') return first.value
  if (first?.type !== 'TemplateLiteral' || first.expressions.length > 0) return undefined
  return first.quasis[0].value.cooked
}

/** Titles of the tests in a file, as they stand there, that run wherever the file does. */
function testsIn(path: string): string[] {
  const { program, fault } = parseFile(path, read(path))
  if (fault !== undefined) throw new Error(`${path}: ${fault}`)
  return [...walk(program)].flatMap(({ node, above }) => {
    if (node.type !== 'CallExpression' || !['test', 'it'].includes(chainOf(node.callee)[0] ?? '')) return []
    const title = titleOf(node)
    return title === undefined || [node, ...above].some(isStill) ? [] : [title]
  })
}

describe('who enforces what', () => {
  const rows = tableUnder('What enforces what, today')

  test('each cell of the README is what is shown here, and nothing else is', () => {
    expect(rows.length).toBeGreaterThan(10)
    const shown = ENFORCED.map(({ what, who, how }) => ({ what, who, how: how.map(({ says }) => says).join('; ') }))
    expect(shown).toEqual(rows)
  })

  test.each(ENFORCED)('$what', ({ who, how }) => {
    for (const { says, by } of how) {
      expect(Object.values(by).flat().length, `something shows that ${says}`).toBeGreaterThan(0)
      for (const [file, titles] of Object.entries(by)) expectTests(file, titles)
    }
    const always = how.flatMap(({ by }) => Object.keys(by)).filter((file) => !isLong(file))
    expect(always.length, 'the normal mode shows it').toBeGreaterThan(0)
    for (const { name, showsIt } of ENFORCERS.filter(({ name }) => name.test(who)))
      expect(always.some(showsIt), `a test in which it is enforced by ${name.source}`).toBe(true)
  })

  test('each row says who enforces it', () => {
    for (const { what, who } of ENFORCED)
      expect(
        ENFORCERS.some(({ name }) => name.test(who)),
        `${what}: ${who}`,
      ).toBe(true)
  })
})

const isLong = (file: string): boolean => file.endsWith('.long.test.ts')

/** They are there once each, run wherever the file does, and the file is one that runs. */
function expectTests(file: string, titles: readonly string[]): void {
  expect(file).toMatch(/^(packages\/[a-z]+\/|regtest\/)?test\/.+\.test\.ts$/)
  const there = testsIn(file)
  expect(titles.length, file).toBeGreaterThan(0)
  for (const title of titles)
    expect(
      there.filter((one) => one === title),
      `${file} has one test "${title}" that runs`,
    ).toHaveLength(1)
}

/** What Bitcoin is said to enforce, Bitcoin itself has to show; what nodes are, the rules that they share or a node. */
const ENFORCERS: readonly { readonly name: RegExp; readonly showsIt: (file: string) => boolean }[] = [
  { name: /^Bitcoin/, showsIt: usesBitcoind },
  { name: /every node/, showsIt: (file) => /^(packages\/(core|node)|regtest)\//.test(file) },
  { name: /watchers/, showsIt: (file) => /^(packages\/(core|bond)|regtest)\//.test(file) },
  { name: /whoever sent it/, showsIt: usesBitcoind },
]

const GROUNDS = /useBitcoind|describeOnBitcoind|Rollup\.start|World\.open|new Bitcoind|RegtestNetwork/

function usesBitcoind(file: string): boolean {
  return GROUNDS.test(read(file))
}

test('a test that does not run shows nothing', () => {
  const path = fileURLToPath(new URL('enforced.test.ts', import.meta.url))
  expect(testsIn(path)).toContain('a test that does not run shows nothing')
  const { program } = parseFile(
    'x.test.ts',
    "describe.skip('a', () => { test('b', () => {}) }); test.todo('c'); test('d', f); test.runIf(false)('e', f); test.runIf(x)('g', f)",
  )
  const calls = [...walk(program)].filter(({ node }) => node.type === 'CallExpression')
  const still = calls
    .filter(({ node, above }) => [node, ...above].some(isStill))
    .flatMap(({ node }) => titleOf(node) ?? [])
  expect(still).toEqual(['a', 'b', 'c', 'e'])
})
