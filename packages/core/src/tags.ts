import { equalBytes } from './bytes.ts'
import type { L1Transaction } from './l1.ts'
import { type Anchor, type ChallengeTag, decodeMessage, isKedgePayload, type Message } from './message.ts'
import type { Params } from './params.ts'
import { anchorScript, dataCarrier, signalScript } from './scripts.ts'

/** What a transaction's outputs say: a link's payload, or one message and what it pays. */

/** Satoshis that each message pays to the signal script at least: the dust limit of a witness output. */
export const SIGNAL_VALUE = 330n

/** A message that is no link. */
export type Tag = Exclude<Message, Anchor>

/** The one Kedge message of a transaction; none if it has two tags. Link payloads outside a link are nothing. */
export function readMessage(transaction: L1Transaction): Tag | undefined {
  const payloads = transaction.outputs
    .map(({ script }) => dataCarrier(script))
    .filter((payload) => payload !== undefined && isKedgePayload(payload))
  const message = payloads.length === 1 ? decodeMessage(payloads[0] as Uint8Array) : undefined
  return message === undefined || isAnchor(message) ? undefined : message
}

function isAnchor(message: Message): message is Anchor {
  return message.kind === 'batch' || message.kind === 'resume'
}

export function readAnchor(transaction: L1Transaction): Anchor | undefined {
  const payload = transaction.outputs[0] && dataCarrier(transaction.outputs[0].script)
  const message = payload && decodeMessage(payload)
  return message !== undefined && isAnchor(message) ? message : undefined
}

export function isNextLink(params: Params, transaction: L1Transaction): boolean {
  const next = transaction.outputs[1]
  return next !== undefined && equalBytes(next.script, anchorScript(params))
}

export function paysSignal(params: Params, transaction: L1Transaction): boolean {
  const script = signalScript(params)
  return transaction.outputs.some((output) => output.value >= SIGNAL_VALUE && equalBytes(output.script, script))
}

/** What the tag's own output holds: nobody can ever spend it. */
export function burntValue(transaction: L1Transaction): bigint {
  const isTag = (payload: Uint8Array | undefined) => payload !== undefined && isKedgePayload(payload)
  return transaction.outputs.find(({ script }) => isTag(dataCarrier(script)))?.value ?? 0n
}

/** The challenge that a transaction raises where its batch can be challenged: it pays all that one costs. */
export function readChallenge(params: Params, transaction: L1Transaction): ChallengeTag | undefined {
  const message = readMessage(transaction)
  const isPaid = paysSignal(params, transaction) && burntValue(transaction) >= params.fees.challenge
  return message?.kind === 'challenge' && isPaid ? message : undefined
}
