import { z } from 'zod'

/** One thing that can be set: in a TOML file, by a variable of the environment, or by a flag. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly schema: S
  readonly help: string
  /** How help writes the value; a switch has none. */
  readonly value?: string
  /** What the text of a variable or flag stands for. Text that stands for nothing is kept, for the schema to refuse. */
  readonly read: (text: string) => unknown
  /** A file or folder: relative to the TOML file that names it, else to the working directory. */
  readonly isPath: boolean
}

/** By key: `bitcoin.cookie-file` in TOML is KEDGE_BITCOIN_COOKIE_FILE and --bitcoin-cookie-file. */
export type Settings = Readonly<Record<string, Setting>>

export type Configured<S extends Settings> = { readonly [K in keyof S]: z.output<S[K]['schema']> }

type Text = z.ZodType<string, string>

export function text<S extends Text>(value: string, help: string, schema: S): Setting<S> {
  return { schema, help, value, read: (given) => given, isPath: false }
}

export function path(value: string, help: string): Setting<Text> {
  return {
    schema: filled(`must be the path of a ${value.toLowerCase()}`),
    help,
    value,
    read: (given) => given,
    isPath: true,
  }
}

export function filled(error: string): Text {
  return z.string({ error }).min(1, error)
}

export function url(value: string, help: string): Setting<Text> {
  return text(value, help, z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }))
}

export function whole(value: string, help: string, [min, max]: readonly [number, number]): Setting<z.ZodInt> {
  const error = `must be a whole number from ${min} to ${max}`
  return { schema: z.int({ error }).min(min, error).max(max, error), help, value, read: readNumber, isPath: false }
}

export function choice<const V extends readonly string[]>(help: string, values: V): Setting<z.ZodType<V[number]>> {
  const schema = z.enum(values, { error: `must be one of ${values.join(', ')}` })
  return { schema, help, value: values.join('|'), read: (given) => given, isPath: false }
}

/** Several: a list in TOML, with commas elsewhere; a flag may also be repeated. */
export function list<S extends Text>(value: string, help: string, item: S): Setting<z.ZodArray<S>> {
  const read = (given: string) => (given === '' ? [] : given.split(',').map((part) => part.trim()))
  const schema = z.array(item, { error: 'must be a list of texts' }).max(100, 'must be at most 100')
  return { schema, help, value: `${value},...`, read, isPath: false }
}

export function onOff(help: string): Setting<z.ZodBoolean> {
  const read = (given: string) => (given === 'true' ? true : given === 'false' ? false : given)
  return { schema: z.boolean({ error: 'must be true or false' }), help, read, isPath: false }
}

export function optional<S extends z.ZodType>(setting: Setting<S>): Setting<z.ZodOptional<S>> {
  return { ...setting, schema: setting.schema.optional() }
}

export function fallback<S extends z.ZodType>(
  setting: Setting<S>,
  value: z.core.util.NoUndefined<z.output<S>>,
): Setting<z.ZodDefault<S>> {
  return { ...setting, schema: setting.schema.default(value) }
}

export function variableOf(key: string): string {
  return `KEDGE_${key.replace(/[.-]/g, '_').toUpperCase()}`
}

export function flagOf(key: string): string {
  return `--${key.replaceAll('.', '-')}`
}

function readNumber(given: string): unknown {
  return /^-?[0-9]{1,15}$/.test(given) ? Number(given) : given
}
