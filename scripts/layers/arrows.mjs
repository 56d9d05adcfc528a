/** Who may use whom: between packages, and between the files of one. */
import { posix } from 'node:path'
import { importsOf, placeOf } from './parse.mjs'

/** @typedef {import('../layers.mjs').Finding} Finding */
/** @typedef {import('./parse.mjs').ParsedFile} ParsedFile */

const LEAVES = ['core', 'signatures', 'bitcoin', 'storage', 'p2p', 'api']
const ROLES = [...LEAVES, 'bond', 'commitment', 'node']

/**
 * For each package, those it may use. A package that is not here has no place in the architecture yet.
 * @type {Record<string, string[]>}
 */
const MAY_USE = {
  core: [],
  signatures: ['core'],
  bitcoin: ['core'],
  storage: ['core'],
  p2p: ['core'],
  api: ['core'],
  bond: ['core', 'bitcoin'],
  commitment: ['core', 'bitcoin', 'storage'],
  node: [...LEAVES, 'bond', 'commitment'],
  sequencer: ROLES,
  challenger: ROLES,
  wallet: ['core', 'bitcoin', 'api'],
  cli: [...ROLES, 'sequencer', 'challenger', 'wallet'],
}

const EVERY_PACKAGE = Object.keys(MAY_USE)
const SCOPE = '@kedge/'

/**
 * The packages a file may import by name. Tests of a package may also use the harness, to have a real bitcoind.
 * @param {import('./parse.mjs').Place} place
 */
function allowedFor({ unit, part }) {
  const own = MAY_USE[unit]
  if (!own) return [...EVERY_PACKAGE, 'regtest']
  return part === 'src' || part === 'bin' ? own : [...own, unit, 'regtest']
}

/**
 * @param {ParsedFile} file
 * @param {string} specifier
 * @returns {string | undefined} what is wrong with it
 */
function judgeRelative({ path, place }, specifier) {
  const target = posix.join(posix.dirname(path), specifier)
  const to = placeOf(target)
  if (to.unit !== place.unit) {
    const free = !(place.unit in MAY_USE) && place.unit !== 'regtest'
    return free && !(to.unit in MAY_USE) ? undefined : `reaches into ${target}; import a package by its name`
  }
  if (place.part === 'src' && to.part !== 'src') return `src must not need ${target}`
  return undefined
}

/**
 * @param {ParsedFile} file
 * @param {string} specifier
 * @returns {string | undefined} what is wrong with it
 */
function judgeNamed({ place }, specifier) {
  const [target = '', ...inside] = specifier.slice(SCOPE.length).split('/')
  if (inside.length > 0) return `${specifier} goes past the index of ${SCOPE}${target}`
  if (allowedFor(place).includes(target)) return undefined
  return `${place.unit} must not use ${target}`
}

/**
 * Imports against the direction of the architecture.
 * @param {ParsedFile} file
 * @returns {Finding[]}
 */
export function checkArrows(file) {
  return importsOf(file).flatMap(({ specifier, line }) => {
    let message
    if (specifier.startsWith('.')) message = judgeRelative(file, specifier)
    else if (specifier.startsWith(SCOPE)) message = judgeNamed(file, specifier)
    return message ? [{ path: file.path, line, rule: 'arrow', message }] : []
  })
}

/**
 * Circles of imports among the files, each reported once, at the import that closes it. Types alone make none: they
 * are gone before anything runs, and a thing may name the form of what is built from it.
 * @param {ParsedFile[]} files
 * @returns {Finding[]}
 */
export function checkCycles(files) {
  const edges = new Map(
    files.map((file) => {
      const relative = importsOf(file).filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
      const to = relative.map(({ specifier, line }) => ({
        target: posix.join(posix.dirname(file.path), specifier),
        line,
      }))
      return [file.path, to]
    }),
  )
  /** @type {Finding[]} */
  const findings = []
  const done = new Set()
  /** @param {string} path @param {string[]} trail the files that led here */
  const visit = (path, trail) => {
    for (const { target, line } of edges.get(path) ?? []) {
      const at = trail.indexOf(target)
      if (at >= 0) {
        const circle = [...trail.slice(at), target].map((name) => posix.basename(name)).join(' > ')
        findings.push({ path, line, rule: 'cycle', message: circle })
      } else if (!done.has(target)) visit(target, [...trail, target])
    }
    done.add(path)
  }
  for (const path of edges.keys()) if (!done.has(path)) visit(path, [path])
  return findings
}

/**
 * @param {string} text
 * @param {string} needle
 */
function lineOf(text, needle) {
  return text.slice(0, Math.max(0, text.indexOf(needle))).split('\n').length
}

/**
 * What a package declares: its dependencies must be allowed ones, and tsconfig.json must refer to the same, as
 * turbo orders the build by the one and tsc by the other.
 * @param {{ path: string, text: string }[]} texts every file of the tree
 * @returns {Finding[]}
 */
export function checkManifests(texts) {
  const byPath = new Map(texts.map(({ path, text }) => [path, text]))
  return texts.flatMap(({ path, text }) => {
    const unit = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1]
    if (!unit) return []
    const allowed = MAY_USE[unit]
    if (!allowed)
      return [{ path, line: 1, rule: 'arrow', message: `${unit} has no place in scripts/layers/arrows.mjs` }]
    const { dependencies = {} } = JSON.parse(text)
    const used = Object.keys(dependencies).flatMap((name) => (name.startsWith(SCOPE) ? [name.slice(SCOPE.length)] : []))
    const wrong = used
      .filter((name) => !allowed.includes(name))
      .map((name) => ({
        path,
        line: lineOf(text, `"${SCOPE}${name}"`),
        rule: 'arrow',
        message: `${unit} must not use ${name}`,
      }))
    return [...wrong, ...checkReferences(unit, used, byPath)]
  })
}

/**
 * @param {string} unit
 * @param {string[]} used the packages it depends on
 * @param {Map<string, string>} byPath
 * @returns {Finding[]}
 */
function checkReferences(unit, used, byPath) {
  const path = `packages/${unit}/tsconfig.json`
  const text = byPath.get(path)
  if (text === undefined) return []
  /** @type {{ path: string }[]} */
  const references = JSON.parse(text).references ?? []
  const referred = references.map((reference) => posix.basename(reference.path))
  const differ = [
    ...used.filter((name) => !referred.includes(name)),
    ...referred.filter((name) => !used.includes(name)),
  ]
  return differ.map((name) => {
    const message = `package.json and the references differ on ${name}`
    return { path, line: lineOf(text, '"references"'), rule: 'references', message }
  })
}
