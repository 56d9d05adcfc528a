import { type EarlierSame, WalletError } from '@kedge/wallet'
import type { Command } from 'commander'
import { confirm } from './confirm.ts'

/** What tells a payment that is meant from one that somebody makes again because an answer was lost. */

export interface IntentOptions {
  readonly again?: true
  readonly replace?: true
  readonly trustNode?: true
}

export function addIntent(command: Command, what: 'payment' | 'withdrawal'): Command {
  return command
    .option('--again', `it is meant as a further ${what}, also beside one of the same amount to the same address`)
    .option('--replace', `sign it in the place of what is open: only one of the two can ever be executed`)
    .option('--trust-node', "take the node's word for operations of these words that it shows no evidence for")
}

export function intentOf({ again, replace, trustNode }: IntentOptions): IntentOptions {
  return { ...(again && { again }), ...(replace && { replace }), ...(trustNode && { trustNode }) }
}

export const REPEAT_NOTE = 'signed before: it is made once, and nothing else was signed; --again makes another one'

/**
 * Asks before the same is paid a second time a short while after the first, where there is somebody to ask.
 * @returns whether to go on
 * @throws WalletError `paid-already`
 */
export async function mayRepeat(
  { again, replace }: { readonly again?: true | undefined; readonly replace?: true | undefined },
  what: 'payment' | 'withdrawal',
  find: () => Promise<EarlierSame | undefined>,
): Promise<boolean> {
  const earlier = again === true || replace === true ? undefined : await find()
  if (earlier === undefined) return true
  const { id, secondsAgo } = earlier
  const said = `The same ${what} was made ${agoOf(secondsAgo)} ago: ${id}.`
  if (process.stdin.isTTY === true) return confirm(false, [`${said} This would be another one.`])
  throw new WalletError(`${said} Nothing was signed. If another one is meant, add --again.`, {
    code: 'paid-already',
    details: { id, secondsAgo: String(secondsAgo) },
  })
}

function agoOf(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} minutes`
}
