/** Rules for one source file: what the core may touch, names, sizes, and habits that hide faults. */
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { importsOf, walk } from './parse.mjs'

/** @typedef {import('../layers.mjs').Finding} Finding */
/** @typedef {import('./parse.mjs').ParsedFile} ParsedFile */
/** @typedef {import('./parse.mjs').Node} Node */

const FILE_LINES = 600
const FILE_LINES_WARNING = 400
const FUNCTION_LINES = 120

/** Last words that name no job. In a file's name the plural says no more, and neither do a few words alone. */
const EMPTY_LAST_WORD = /^(?:util|helper|manager|service|handler|factory|impl|wrapper|provider)$/
const EMPTY_FILE_WORD = /^(?:utils|helpers|managers|services|handlers|factories|wrappers|providers|common|misc)$/
const EMPTY_FILE_NAME = /^(?:shared|types)$/

/** What makes a result depend on more than the arguments. */
const IMPURE = new Set([
  ...['Date', 'performance', 'Promise', 'console', 'process', 'fetch', 'crypto'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'requestAnimationFrame'],
])

const MOCKS = new Set(['mock', 'doMock', 'fn', 'spyOn', 'mockObject', 'stubGlobal'])

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

const DECLARATIONS = new Set([
  ...['FunctionDeclaration', 'ClassDeclaration', 'VariableDeclarator'],
  ...['TSInterfaceDeclaration', 'TSTypeAliasDeclaration', 'TSEnumDeclaration'],
])

/** Settings come in at the front door: the command's main file. Harness, tests and scripts have none to pass. */
const MAY_READ_ENVIRONMENT =
  /^(?:packages\/cli\/src\/main[^/]*|regtest\/.*|test\/.*|scripts\/.*|packages\/[^/]+\/(?:test|bench)\/.*)$/

/**
 * A rule looks at one node, with the nodes above it (nearest last), and says what is wrong, if anything is.
 * @typedef {(node: Node, above: Node[], file: ParsedFile) => string | undefined} NodeRule
 */

/**
 * The words of a name: `readBlock`, `read-block` and `READ_BLOCK` are all read, block.
 * @param {string} name
 */
function wordsOf(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
}

/** @param {Node | undefined} node @param {string} name */
const isNamed = (node, name) => node?.type === 'Identifier' && node.name === name

/** @param {Node} node @param {string} object @param {string} property */
function isMember(node, object, property) {
  return node.type === 'MemberExpression' && isNamed(node.object, object) && isNamed(node.property, property)
}

/**
 * Whether the identifier stands for a value or a type of that name, and is not itself the name of a field.
 * @param {Node} node
 * @param {Node | undefined} parent
 */
function isReference(node, parent) {
  if (node.type !== 'Identifier' || !parent) return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed
  if (parent.type === 'TSQualifiedName') return parent.left === node
  return parent.key !== node || parent.computed || parent.shorthand === true
}

/** @param {Node | undefined} body @returns {boolean} whether nothing is done here: no statement, or a bare null */
function isNothing(body) {
  if (body?.type === 'BlockStatement') return body.body.length === 0
  if (body?.type === 'UnaryExpression') return body.operator === 'void'
  return isNamed(body, 'undefined') || (body?.type === 'Literal' && body.value === null)
}

/** @type {NodeRule} */
function purity(node, above) {
  const parent = above.at(-1)
  if (node.async === true) return 'async; the core is synchronous'
  if (node.type === 'AwaitExpression' || node.await === true) return 'await; the core is synchronous'
  if (isMember(node, 'Math', 'random')) return 'Math.random; whoever calls passes randomness in'
  if (IMPURE.has(node.name) && isReference(node, parent)) return `${node.name}; the core knows no world`
  return undefined
}

/** @type {NodeRule} */
function environment(node) {
  const message = 'process.env; pass the setting in from the main file'
  if (isMember(node, 'process', 'env')) return message
  const unpacks = node.type === 'VariableDeclarator' && isNamed(node.init, 'process')
  if (unpacks && node.id.properties?.some((/** @type {Node} */ field) => isNamed(field.key, 'env'))) return message
  const imports = node.type === 'ImportDeclaration' && /^(?:node:)?process$/.test(node.source.value)
  const env = imports && node.specifiers.some((/** @type {Node} */ name) => isNamed(name.imported, 'env'))
  return env ? message : undefined
}

/** @type {NodeRule} */
function emptyName(node, above) {
  // A variable inside a function is read where it stands; its name need not carry as far.
  if (node.type === 'VariableDeclarator' && above.some(({ type }) => FUNCTIONS.has(type))) return undefined
  const name = DECLARATIONS.has(node.type) ? node.id?.name : undefined
  const last = name && wordsOf(name).at(-1)
  return last && EMPTY_LAST_WORD.test(last) ? `${name}; name the thing by what it does` : undefined
}

/** @type {NodeRule} */
function functionSize(node, above, file) {
  if (!FUNCTIONS.has(node.type)) return undefined
  const parent = above.at(-1)
  // A describe block is a list of tests, each of which is measured by itself.
  if (parent?.type === 'CallExpression' && /^(?:describe|suite)\b/.test(file.text.slice(parent.start, parent.end)))
    return undefined
  const lines = file.lineAt(node.end) - file.lineAt(node.start) + 1
  return lines > FUNCTION_LINES ? `${lines} lines, the limit is ${FUNCTION_LINES}` : undefined
}

/** @type {NodeRule} */
function exportAll(node) {
  return node.type === 'ExportAllDeclaration' ? 'write the names out' : undefined
}

/** @type {NodeRule} */
function mock(node) {
  const called = node.type === 'MemberExpression' && isNamed(node.object, 'vi') && node.property.name
  return called && MOCKS.has(called) ? `vi.${called}; use the real part` : undefined
}

/** @type {NodeRule} */
function swallowed(node) {
  const message = 'an error vanishes here; handle it or let it through'
  if (node.type === 'CatchClause') return isNothing(node.body) ? message : undefined
  const catches = node.type === 'CallExpression' && isNamed(node.callee.property, 'catch')
  const callback = catches ? node.arguments[0] : undefined
  return callback && FUNCTIONS.has(callback.type) && isNothing(callback.body) ? message : undefined
}

/** @type {{ rule: string, check: NodeRule, applies?: (file: ParsedFile) => boolean }[]} */
const NODE_RULES = [
  { rule: 'pure-core', check: purity, applies: isCore },
  { rule: 'environment', check: environment, applies: ({ path }) => !MAY_READ_ENVIRONMENT.test(path) },
  { rule: 'empty-name', check: emptyName },
  { rule: 'function-size', check: functionSize },
  { rule: 'export-all', check: exportAll },
  { rule: 'mock', check: mock },
  { rule: 'swallowed-error', check: swallowed },
]

/** @param {ParsedFile} file */
function isCore({ place }) {
  return place.unit === 'core' && place.part === 'src'
}

/**
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
function checkNodes(file) {
  const rules = NODE_RULES.filter(({ applies }) => applies?.(file) ?? true)
  /** @type {Finding[]} */
  const findings = []
  for (const { node, above } of walk(file.program)) {
    for (const { rule, check } of rules) {
      const message = check(node, above, file)
      if (message) findings.push({ path: file.path, line: file.lineAt(node.start), rule, message })
    }
  }
  return findings
}

/**
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
function checkBuiltins(file) {
  if (!isCore(file)) return []
  return importsOf(file).flatMap(({ specifier, line }) => {
    const message = `${specifier}; the core runs anywhere`
    return isBuiltin(specifier) ? [{ path: file.path, line, rule: 'pure-core', message }] : []
  })
}

/**
 * The file's own name, and those of the folders it is in.
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
function checkFileName({ path, place }) {
  const at = { path, line: 1 }
  const parts = path.split('/').map((part) => part.replace(/\..*$/, ''))
  const isEmpty = (/** @type {string} */ word) => EMPTY_LAST_WORD.test(word) || EMPTY_FILE_WORD.test(word)
  const bad = parts.find((part) => EMPTY_FILE_NAME.test(part) || wordsOf(part).some(isEmpty))
  const isIndex = posix.basename(path) === 'index.ts'
  const isRootIndex = path === `packages/${place.unit}/src/index.ts` || path === 'regtest/src/index.ts'
  return [
    ...(bad ? [{ ...at, rule: 'empty-name', message: `${bad}; name the file after what it holds` }] : []),
    ...(isIndex && !isRootIndex ? [{ ...at, rule: 'inner-index', message: 'only a package has an index' }] : []),
  ]
}

/**
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
function checkFileSize({ path, text }) {
  const lines = text.replace(/\n$/, '').split('\n').length
  if (lines <= FILE_LINES_WARNING) return []
  const fault = lines > FILE_LINES
  const message = fault
    ? `${lines} lines, the limit is ${FILE_LINES}`
    : `${lines} lines, more than ${FILE_LINES_WARNING}`
  return [{ path, line: 1, rule: 'file-size', message, warning: !fault }]
}

/**
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
export function checkCode(file) {
  if (file.fault) return [{ path: file.path, line: 1, rule: 'syntax', message: file.fault }]
  return [...checkFileName(file), ...checkFileSize(file), ...checkBuiltins(file), ...checkNodes(file)]
}
