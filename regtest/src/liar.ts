import { runCommand, sequencerCommand } from '@kedge/cli'
import { startSequencer } from '@kedge/sequencer'
import { LIES, Liar, type LieName } from './lies.ts'

/**
 * The sequencer as `kedge sequencer` starts it, but that it lies when it is told to, over the channel of the process
 * that started it: {lie: NAME}, or {ignore: KEY}, where an empty key is nobody's.
 */
const command = sequencerCommand(process.env, (options) => {
  const liar = new Liar(options.params, options.secrets.slot)
  process.on('message', (message) => {
    const key = keyIn(message)
    if (key !== undefined) return liar.ignore(key === '' ? undefined : key)
    const name = lieIn(message)
    if (name === undefined) throw new Error(`no lie to tell: ${JSON.stringify(message)}`)
    options.log.warn({ lie: name }, 'told to lie')
    liar.lieAbout(name)
  })
  return startSequencer({ ...options, tamper: liar })
})

await runCommand(command, process.argv.slice(2))

function lieIn(message: unknown): LieName | undefined {
  const wanted = typeof message === 'object' && message !== null && 'lie' in message ? message.lie : undefined
  return (Object.keys(LIES) as LieName[]).find((name) => name === wanted)
}

/** The rollup key, as hex, whose owner is to be ignored. */
function keyIn(message: unknown): string | undefined {
  const key = typeof message === 'object' && message !== null && 'ignore' in message ? message.ignore : undefined
  return typeof key === 'string' ? key : undefined
}
