/** A page that checks documents by itself: what it fetches are the documents, and nobody's opinion of them. */
import { decodeDocument, fromHex, paramsFromJson, toHex, verifyPayment, verifyReceipt } from '@kedge/core'

/** @param {import('../browser.ts').Shown} shown */
function verdictOf(params, { document, checkpoint }) {
  const read = decodeDocument(fromHex(document))
  if (!read.ok) return read.reason
  const verdict =
    read.document.kind === 'receipt'
      ? verifyReceipt(params, read.document.operation, read.document.receipt)
      : verifyPayment(params, read.document, { height: checkpoint.height, hash: fromHex(checkpoint.hash) })
  if (!verdict.ok) return verdict.reason
  const { id, transfer } = 'payment' in verdict ? verdict.payment : { id: verdict.id, transfer: verdict.operation }
  const reservations = verdict.reservations.map(({ name }) => name)
  return { id: toHex(id), to: toHex(transfer.to), amount: String(transfer.amount), reservations }
}

const { params, documents } = await (await fetch('/shown.json')).json()
const verdicts = documents.map((shown) => verdictOf(paramsFromJson(params), shown))
document.querySelector('main').textContent = JSON.stringify(verdicts)
document.title = 'checked'
