/** Amounts as people read them, with commas between thousands. */

/** `1,234.567 sat`: satoshis, with millisatoshis where there are any. */
export function printAmount(msat: bigint): string {
  const rest = msat % 1000n
  return `${grouped(msat / 1000n)}${rest === 0n ? '' : `.${String(rest).padStart(3, '0')}`} sat`
}

export function printSats(sats: bigint): string {
  return `${grouped(sats)} sat`
}

function grouped(number: bigint): string {
  return String(number).replace(/\B(?=(?:[0-9]{3})+$)/g, ',')
}
