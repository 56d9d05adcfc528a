/** A source file as its syntax tree, with where it stands in the repository and which lines its nodes are on. */
import { parseSync, visitorKeys } from 'oxc-parser'

/**
 * A node of the syntax tree, in the shape of ESTree: a `type`, its place in the text, and fields that depend on it.
 * @typedef {{ type: string, start: number, end: number, [field: string]: any }} Node
 */

/**
 * Where a file belongs: `unit` is a package's name, or 'regtest', 'test', 'scripts', or '' for the rest;
 * `part` is the folder within it: 'src', 'test', 'bench', 'bin' or ''.
 * @typedef {{ unit: string, part: string }} Place
 */

/**
 * @typedef {object} ParsedFile
 * @property {string} path
 * @property {string} text
 * @property {Place} place
 * @property {Node} program
 * @property {string | undefined} fault why it could not be parsed
 * @property {(offset: number) => number} lineAt
 */

/**
 * @param {string} path
 * @returns {Place}
 */
export function placeOf(path) {
  const parts = path.split('/')
  if (parts[0] === 'packages') return { unit: parts[1] ?? '', part: parts.length > 3 ? (parts[2] ?? '') : '' }
  if (parts.length === 1) return { unit: '', part: '' }
  return { unit: parts[0] ?? '', part: parts.length > 2 ? (parts[1] ?? '') : '' }
}

/**
 * @param {string} text
 * @returns {(offset: number) => number} the line, from 1, that a position in the text is on
 */
function lineFinder(text) {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    const next = starts.findIndex((start) => start > offset)
    return next < 0 ? starts.length : next
  }
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {ParsedFile}
 */
export function parseFile(path, text) {
  const { program, errors } = parseSync(path, text)
  const fault = errors.find(({ severity }) => severity === 'Error')?.message
  return { path, text, place: placeOf(path), program, fault, lineAt: lineFinder(text) }
}

/**
 * Every node below `node`, parents first, each with the chain of nodes above it, nearest last.
 * @param {Node} node
 * @param {Node[]} [above]
 * @returns {Generator<{ node: Node, above: Node[] }>}
 */
export function* walk(node, above = []) {
  yield { node, above }
  const chain = [...above, node]
  for (const key of visitorKeys[node.type] ?? []) {
    for (const child of [node[key]].flat()) {
      if (child) yield* walk(child, chain)
    }
  }
}

/**
 * Every module a file names, by import, re-export, `import()` or as a type.
 * @param {ParsedFile} file
 * @returns {{ specifier: string, line: number, typeOnly: boolean }[]} `typeOnly`: nothing of it is left at run time
 */
export function importsOf(file) {
  const imports = []
  for (const { node } of walk(file.program)) {
    const { source } = node
    if (source?.type === 'Literal' && typeof source.value === 'string') {
      const typeOnly = node.importKind === 'type' || node.exportKind === 'type'
      imports.push({ specifier: source.value, line: file.lineAt(source.start), typeOnly })
    }
  }
  return imports
}
