/**
 * Holds the code to its architecture: node scripts/layers.mjs [ROOT]
 *
 * Each finding is a line `file:line rule: what is wrong`. The exit code is 1 when there is one that is not a warning.
 * What may use what stands in layers/arrows.mjs, the rules for one file in layers/code.mjs and layers/text.mjs.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { checkArrows, checkCycles, checkManifests } from './layers/arrows.mjs'
import { checkCode } from './layers/code.mjs'
import { parseFile } from './layers/parse.mjs'
import { checkText } from './layers/text.mjs'

/**
 * @typedef {{ path: string, line: number, rule: string, message: string, warning?: boolean }} Finding
 */

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', 'vectors'])
const TEXT = /\.(?:ts|mts|js|mjs|cjs|json|md|sh|toml|ya?ml|html|css)$|(?:^|\/)\.ci\/[^/.]+$/
const CODE = /\.(?:ts|mts|js|mjs)$/

/**
 * The files below `folder` that people write, as sorted paths from the root with `/` between the parts.
 * @param {string} root
 * @param {string} [folder]
 * @returns {string[]}
 */
function listFiles(root, folder = '') {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  const paths = entries.flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name
    if (entry.isFile()) return [path]
    const hidden = entry.name.startsWith('.') && entry.name !== '.ci'
    return entry.isDirectory() && !hidden && !NOT_OURS.has(entry.name) ? listFiles(root, path) : []
  })
  return paths.sort()
}

/**
 * All findings in the tree at `root`, ordered by file and line, and how many files were read.
 * @param {string} root
 * @returns {{ findings: Finding[], files: number }}
 */
export function checkTree(root) {
  const paths = listFiles(root).filter((path) => TEXT.test(path))
  const texts = paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  const parsed = texts.filter(({ path }) => CODE.test(path)).map(({ path, text }) => parseFile(path, text))
  const findings = [
    ...texts.flatMap(checkText),
    ...parsed.flatMap(checkCode),
    ...parsed.flatMap(checkArrows),
    ...checkCycles(parsed),
    ...checkManifests(texts),
  ]
  findings.sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
  return { findings, files: texts.length }
}

/** @param {string} root */
function main(root) {
  const { findings, files } = checkTree(root)
  for (const { path, line, rule, message, warning } of findings) {
    console.log(`${path}:${line} ${warning ? 'warning, ' : ''}${rule}: ${message}`)
  }
  const warnings = findings.filter((finding) => finding.warning).length
  const faults = findings.length - warnings
  console.log(`layers: ${files} files read, ${faults} faults, ${warnings} warnings`)
  return faults === 0 ? 0 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = main(resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))))
}
