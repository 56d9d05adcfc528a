import { describe, expect, test } from 'vitest'
import { findBackendFault } from '../src/backend.ts'

// As a Bitcoin Core and a Bitcoin Knots 29.4 report them, cut down to what differs.
const BITCOIN = { hash: '00', height: 0, deployments: { taproot: { type: 'bip9', active: true } } }
const FLAG_DAY = { type: 'flagday', height: 961_640, active: false }

describe('a backend', () => {
  test.each(['main', 'testnet4', 'signet', 'regtest'] as const)('that follows Bitcoin is fit on %s', (chain) => {
    expect(findBackendFault({ chain, scanHeight: 0 }, { chain }, BITCOIN)).toBeUndefined()
  })

  test.each([
    ['main', 'regtest'],
    ['regtest', 'main'],
    ['testnet4', 'test'],
  ] as const)('for %s that follows %s is unfit', (chain, follows) => {
    expect(findBackendFault({ chain, scanHeight: 0 }, { chain: follows }, BITCOIN)).toContain(
      `bitcoind follows ${follows}, not ${chain}: `,
    )
  })

  test.each([
    ['blake2b', { ...BITCOIN, blake2b: { height: 961_640, active: false } }],
    ['reduced_data', { ...BITCOIN, deployments: { ...BITCOIN.deployments, reduced_data: FLAG_DAY } }],
  ])('with %s ahead is unfit, but on regtest', (rule, deployments) => {
    expect(findBackendFault({ chain: 'main', scanHeight: 0 }, { chain: 'main' }, deployments)).toContain(
      `enforces ${rule}`,
    )
    expect(findBackendFault({ chain: 'signet', scanHeight: 0 }, { chain: 'signet' }, deployments)).toContain(
      'run Bitcoin Core',
    )
    expect(findBackendFault({ chain: 'regtest', scanHeight: 0 }, { chain: 'regtest' }, deployments)).toBeUndefined()
  })

  test.each([[null], ['main'], [{}], [{ chain: 5 }]])('that answers %j is not understood', (info) => {
    expect(() => findBackendFault({ chain: 'main', scanHeight: 0 }, info, BITCOIN)).toThrow(TypeError)
  })
})
