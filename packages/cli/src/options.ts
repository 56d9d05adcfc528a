import { type Command, Option } from 'commander'
import { readConfig } from './config.ts'
import { type Configured, flagOf, type Setting, type Settings, variableOf } from './setting.ts'
import { everyKey } from './settings.ts'

/** What the process was started in. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Gives a command one flag for each setting, beside --config. */
export function addSettings(command: Command, settings: Settings): Command {
  command.option('--config <FILE>', 'a TOML file with these settings, by their keys')
  for (const [key, setting] of Object.entries(settings)) command.addOption(optionOf(key, setting))
  return command.addHelpText('after', sourcesHelp(settings))
}

/** @throws ConfigError naming the key, and the file, variable or flag that gives it. */
export function configOf<S extends Settings>(command: Command, settings: S, environment: Environment): Configured<S> {
  const given = command.opts<Record<string, unknown>>()
  const flags = Object.entries(settings).flatMap(([key, setting]) => {
    const value = given[optionOf(key, setting).attributeName()]
    return value === undefined ? [] : [[key, value] as const]
  })
  const file = typeof given.config === 'string' ? given.config : undefined
  return readConfig(settings, everyKey, { file, environment, flags: new Map(flags) })
}

function optionOf(key: string, { help, value, schema }: Setting): Option {
  const parsed = schema.safeParse(undefined)
  const option = new Option(value === undefined ? flagOf(key) : `${flagOf(key)} <${value}>`, describe(help, parsed))
  return value?.endsWith(',...') ? option.argParser(collect) : option
}

function describe(help: string, parsed: { success: boolean; data?: unknown }): string {
  if (!parsed.success) return `${help} (required)`
  const { data } = parsed
  return data === undefined || data === false || String(data) === '' ? help : `${help} (default: ${String(data)})`
}

function collect(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before},${value}`
}

function sourcesHelp(settings: Settings): string {
  const keys = Object.keys(settings)
  const key = keys.find((name) => name.startsWith('bitcoin.')) ?? keys[0] ?? ''
  return `
Each setting can also stand in the TOML file or in the environment: ${flagOf(key)} is ${key} there,
and ${variableOf(key)} here. Flags win over the environment, that over the file.`
}
