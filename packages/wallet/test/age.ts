import { changeContent, type Wallet } from '../src/wallet.ts'

/** Seconds after which nobody is asked any more whether the same is meant once more. */
const LONG_AGO = 16 * 60

/** As if everything had been signed so much earlier. */
export async function age(wallet: Wallet): Promise<void> {
  await changeContent(wallet, (content) => ({
    ...content,
    sends: content.sends.map((sent) => ({ ...sent, signedAt: (sent.signedAt ?? 0) - LONG_AGO })),
  }))
}
