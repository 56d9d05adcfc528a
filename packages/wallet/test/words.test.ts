import { describe, expect, it } from 'vitest'
import { WalletError } from '../src/errors.ts'
import { createWords, parseWords, seedOf } from '../src/words.ts'

const ABANDON = `${'abandon '.repeat(11)}about`

function failure(work: () => unknown): WalletError {
  try {
    work()
  } catch (error) {
    if (error instanceof WalletError) return error
    throw error
  }
  throw new Error('a WalletError was expected')
}

describe('seed words', () => {
  it('are twelve, valid, and different each time', () => {
    const [first, second] = [createWords(), createWords()]
    expect(first.split(' ')).toHaveLength(12)
    expect(parseWords(first)).toBe(first)
    expect(second).not.toBe(first)
  })

  it('are taken as people type them', () => {
    expect(parseWords(`  ${ABANDON.toUpperCase().replaceAll(' ', '\n ')} `)).toBe(ABANDON)
  })

  it('give the seeds of BIP39’s own vectors (with no passphrase)', async () => {
    const seed = Buffer.from(await seedOf(ABANDON)).toString('hex')
    expect(seed).toBe(
      '5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4',
    )
  })

  it('name the word that is wrong, and words near it', () => {
    const error = failure(() => parseWords(ABANDON.replace('about', 'abuot')))
    expect(error.code).toBe('bad-words')
    expect(error.message).toMatch(/^Word 12 is not on the BIP39 list/)
    expect(failure(() => parseWords(ABANDON.replace('about', 'aboutt'))).message).toContain('about')
  })

  it('are refused when too few, or swapped', () => {
    for (const text of [
      '',
      'abandon',
      `${'abandon '.repeat(10)}about`,
      `${'abandon '.repeat(11)}zoo`,
      `about ${'abandon '.repeat(11)}`,
    ]) {
      expect(failure(() => parseWords(text)).code).toBe('bad-words')
    }
  })
})
