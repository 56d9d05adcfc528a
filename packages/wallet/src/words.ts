import { generateMnemonic, mnemonicToSeedWebcrypto, validateMnemonic } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { WalletError } from './errors.ts'

/** Seed words (BIP39, English, no passphrase): all that has to be kept to have the money again. */

/** Twelve words: 128 bits, as much as a secp256k1 key is worth. */
const STRENGTH_BITS = 128

export function createWords(): string {
  return generateMnemonic(wordlist, STRENGTH_BITS)
}

/**
 * Words as somebody typed them, in their one form.
 * @throws WalletError `bad-words`, naming the first word that is not on the list.
 */
export function parseWords(text: string): string {
  const typed = text.normalize('NFKD').toLowerCase().trim()
  if (typed === '')
    throw new WalletError('No words were read: give all of them in one line, in their order.', { code: 'bad-words' })
  const words = typed.split(/\s+/)
  const unknown = words.findIndex((word) => !wordlist.includes(word))
  if (unknown >= 0) {
    const near = wordlist.filter((word) => word.startsWith((words[unknown] ?? '').slice(0, 3))).slice(0, 5)
    const hint = near.length > 0 ? ` Words near it: ${near.join(', ')}.` : ''
    throw new WalletError(`Word ${unknown + 1} is not on the BIP39 list; check its spelling.${hint}`, {
      code: 'bad-words',
    })
  }
  const joined = words.join(' ')
  if (!validateMnemonic(joined, wordlist)) {
    throw new WalletError(
      `These ${words.length} words are no seed: there must be 12, 15, 18, 21 or 24, in their order, and their checksum must hold. A word may be wrong, missing or swapped.`,
      { code: 'bad-words' },
    )
  }
  return joined
}

/** The 64-byte seed of valid words. */
export function seedOf(words: string): Promise<Uint8Array> {
  return mnemonicToSeedWebcrypto(words)
}
