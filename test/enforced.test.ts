import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseFile, walk } from '../scripts/layers/parse.mjs'
import { SHOWN } from './enforced.ts'

/** The README's table "who enforces what" is true as long as these tests are there, run, and pass. */

const ROOT = new URL('..', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')

interface Row {
  readonly what: string
  readonly who: string
}

/** The rows under a heading, links as their text. */
function tableUnder(heading: string): Row[] {
  const [, section = ''] = read('README.md').split(`## ${heading}\n`)
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(1).map((line) => {
    const [what = '', who = ''] = line.slice(2).split(' | ')
    return { what: plain(what), who: plain(who) }
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
const isStill = (call: Node) =>
  call.type === 'CallExpression' && chainOf(call.callee).some((name) => STILL.includes(name))

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

  test('each row of the README is shown, and nothing else', () => {
    expect(rows.length).toBeGreaterThan(10)
    expect(SHOWN.map(({ what }) => what)).toEqual(rows.map(({ what }) => what))
  })

  test.each(SHOWN)('$what', ({ what, by }) => {
    const files = Object.keys(by)
    for (const [file, titles] of Object.entries(by)) {
      const there = testsIn(file)
      expect(titles.length).toBeGreaterThan(0)
      for (const title of titles)
        expect(
          there.filter((one) => one === title),
          `${file} has one test "${title}" that runs`,
        ).toHaveLength(1)
    }
    const always = files.filter((file) => !file.endsWith('.long.test.ts'))
    expect(always.length, 'the normal mode shows it').toBeGreaterThan(0)
    // What Bitcoin is said to enforce, Bitcoin itself has to show.
    const who = rows.find((row) => row.what === what)?.who ?? ''
    if (who.startsWith('Bitcoin')) expect(always.some(usesBitcoind), 'a real bitcoind shows it').toBe(true)
  })
})

const GROUNDS = /useBitcoind|describeOnBitcoind|Rollup\.start|World\.open|new Bitcoind|RegtestNetwork/

function usesBitcoind(file: string): boolean {
  return GROUNDS.test(read(file))
}

test('a test that does not run shows nothing', () => {
  const path = fileURLToPath(new URL('enforced.test.ts', import.meta.url))
  expect(testsIn(path)).toContain('a test that does not run shows nothing')
  const { program } = parseFile(
    'x.test.ts',
    "describe.skip('a', () => { test('b', () => {}) }); test.todo('c'); test('d', f)",
  )
  const calls = [...walk(program)].filter(({ node }) => node.type === 'CallExpression')
  const still = calls.filter(({ node, above }) => [node, ...above].some(isStill)).map(({ node }) => titleOf(node))
  expect(still).toEqual(['a', 'b', 'c'])
})
