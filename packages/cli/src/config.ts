import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { ConfigError } from './config-error.ts'
import { type Configured, flagOf, type Setting, type Settings, variableOf } from './setting.ts'
import { readText } from './text-file.ts'

/** Where values may come from. */
export interface Sources {
  /** A TOML file. */
  readonly file?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** By key, as the command line was read. */
  readonly flags: ReadonlyMap<string, unknown>
}

type Entries = Iterable<readonly [key: string, value: unknown]>

/** Variables of the regtest network itself, which is no node's business. */
const REGTEST_VARIABLE = /^KEDGE_REGTEST_/

/**
 * Flags win over the environment, that over the file, that over defaults. A value that is overruled must be right too.
 *
 * @param everyKey keys of all commands: a variable for another one is passed over.
 * @throws ConfigError naming the key, and the file, variable or flag that gives it.
 */
export function readConfig<S extends Settings>(
  settings: S,
  everyKey: readonly string[],
  sources: Sources,
): Configured<S> {
  const given = new Map([
    ...(sources.file === undefined ? [] : readFile(settings, sources.file)),
    ...readEnvironment(settings, everyKey, sources.environment),
    ...readFlags(settings, sources.flags),
  ])
  const entries = Object.entries(settings).map(([key, setting]) => [key, decide(key, setting, given.get(key))])
  return Object.fromEntries(entries) as Configured<S>
}

function decide(key: string, setting: Setting, given: unknown): unknown {
  const parsed = setting.schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new ConfigError(
    `${key} is not set: give it in the file as ${key}, as the variable ${variableOf(key)}, or as ${flagOf(key)} ${setting.value}`,
  )
}

function* readFile(settings: Settings, file: string): Entries {
  for (const [key, value] of flatten(settings, parseToml(file), '')) {
    const setting = find(settings, key)
    if (setting === undefined)
      throw new ConfigError(`${file}: unknown key ${key}; the keys are ${Object.keys(settings).join(', ')}`)
    yield [key, check(setting, `${file}: ${key}`, value, dirname(file))]
  }
}

function* readEnvironment(
  settings: Settings,
  everyKey: readonly string[],
  environment: Sources['environment'],
): Entries {
  const keys = new Map(everyKey.map((key) => [variableOf(key), key]))
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith('KEDGE_') || REGTEST_VARIABLE.test(name)) continue
    const key = keys.get(name)
    if (key === undefined)
      throw new ConfigError(`${name}: unknown variable; those that kedge knows are ${[...keys.keys()].join(', ')}`)
    const setting = find(settings, key)
    if (setting !== undefined) yield [key, check(setting, name, setting.read(value), '.')]
  }
}

function* readFlags(settings: Settings, flags: Sources['flags']): Entries {
  for (const [key, value] of flags) {
    const setting = find(settings, key)
    if (setting === undefined) throw new ConfigError(`${flagOf(key)}: unknown flag`)
    yield [key, check(setting, flagOf(key), typeof value === 'string' ? setting.read(value) : value, '.')]
  }
}

function find(settings: Settings, key: string): Setting | undefined {
  return Object.hasOwn(settings, key) ? settings[key] : undefined
}

/** @param source names what has to be mended: a key in a file, a variable, a flag */
function check(setting: Setting, source: string, value: unknown, base: string): unknown {
  const parsed = setting.schema.safeParse(value)
  if (!parsed.success) throw new ConfigError(`${source}: ${parsed.error.issues[0]?.message}`)
  return setting.isPath && typeof value === 'string' ? resolve(base, value) : value
}

/** A table of a known name is opened, its keys with dots; whatever else stands there is a value, or unknown. */
function* flatten(settings: Settings, table: object, prefix: string): Entries {
  for (const [name, value] of Object.entries(table)) {
    const key = prefix + name
    const isOpened = Object.keys(settings).some((known) => known.startsWith(`${key}.`))
    if (isOpened && isTable(value)) yield* flatten(settings, value, `${key}.`)
    else yield [key, value]
  }
}

/** The parser makes tables without a prototype; what else is an object is a list or a date. */
function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null
}

function parseToml(file: string): object {
  const toml = readText(file)
  try {
    return parse(toml)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const [first = ''] = cause.message.replace('Invalid TOML document: ', '').split('\n')
    throw new ConfigError(`${file}: line ${cause.line}: ${clearly(first)}`, { cause })
  }
}

/** What the parser says where a quote is missing is true of the line's end, and helps nobody. */
function clearly(said: string): string {
  return said === 'control characters are not allowed in strings' ? `${said}; does a quote miss its second one?` : said
}
