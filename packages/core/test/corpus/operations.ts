import { concatBytes } from '../../src/bytes.ts'
import { type Account, encodeAccount } from '../../src/cell.ts'
import { sha256 } from '../../src/hash.ts'
import { applyOperation, type Context, decodeOperation, encodeOperation, type Operation } from '../../src/operation.ts'
import { type SignedOperation, signedMessage } from '../../src/signed.ts'
import { encodeTotals, type Totals } from '../../src/totals.ts'
import { CellTree } from '../../src/tree.ts'
import { pay as payAny, realOwners, withdraw as withdrawAny } from '../economy.ts'
import { naiveRoot } from '../model.ts'
import {
  accountOf,
  isSigned,
  network,
  type Payment,
  params,
  payoutScript,
  secretOf,
  type Taking,
  totalsOf,
} from '../world.ts'
import { type Json, toJson } from './json.ts'

/** The height of the origin that all of them are executed under. */
const ORIGIN_HEIGHT = 150

const { key } = realOwners
const pay = (from: number, to: number, nonce: number, more: Partial<Payment> = {}) =>
  payAny(from, to, nonce, more, realOwners)
const TOP = 2n ** 64n - 1n

interface State {
  readonly accounts: readonly Account[]
  readonly totals: Totals
}

function stateOf(accounts: readonly Account[], fees = 50_000n, more: Partial<Totals> = {}): State {
  return { accounts, totals: { ...totalsOf(accounts, fees), ...more } }
}

const three = stateOf([accountOf(key(0), 1_000_000n), accountOf(key(1), 500n, 7n), accountOf(params.keys.fees, 0n)])
const four = stateOf([...three.accounts, accountOf(key(3), 0n)])
const toNew = { mayCreate: true, fee: 10_100n }

type Try = readonly [name: string, pre: State, operation: Operation | Uint8Array]

const transfers = (): Try[] => [
  ['to an existing cell', three, pay(0, 1, 0)],
  ['of everything', three, pay(0, 1, 0, { amount: 999_900n })],
  ['with a memo and a higher fee', three, pay(0, 1, 0, { memo: sha256(Uint8Array.of(1)), fee: 777n })],
  ['at its expiry', three, pay(0, 1, 0, { expiry: ORIGIN_HEIGHT })],
  ['that may create and need not', three, pay(0, 1, 0, toNew)],
  ['that creates the fourth cell', three, pay(0, 3, 0, toNew)],
  ['that creates the fifth cell: the tree grows', four, pay(0, 4, 0, toNew)],
  ['to a second cell of one’s own key', three, pay(0, 0, 0, { ...toNew, toCell: 3 })],
  ['from a nonce in use', three, pay(1, 0, 7, { amount: 400n })],
  [
    'a balance of all that a field holds',
    stateOf([...three.accounts.slice(0, 1), accountOf(key(1), TOP - 1000n)], 0n, { supply: TOP }),
    pay(0, 1, 0),
  ],
  ['undecodable: a byte behind it', three, concatBytes(encodeOperation(pay(0, 1, 0)), Uint8Array.of(0))],
  ['undecodable: a byte short', three, encodeOperation(pay(0, 1, 0)).slice(0, -1)],
  ['undecodable: unknown flags', three, encodeOperation(pay(0, 1, 0)).with(57, 2)],
  ['undecodable: a cell number of 2^48', three, encodeOperation(pay(0, 1, 0)).with(7, 1)],
  ['undecodable: an unknown kind', three, encodeOperation(pay(0, 1, 0)).with(0, 6)],
  ['undecodable: nothing', three, new Uint8Array(0)],
  ['unknown payer', three, pay(0, 1, 0, { from: 3 })],
  ['unknown recipient', three, pay(0, 3, 0, { ...toNew, toCell: 4 })],
  ['to itself', three, pay(0, 0, 0, { toCell: 0 })],
  ['of nothing', three, pay(0, 1, 0, { amount: 0n })],
  ['nonce used', three, pay(1, 0, 6, { amount: 400n })],
  ['nonce ahead', three, pay(0, 1, 1)],
  ['expired', three, pay(0, 1, 0, { expiry: ORIGIN_HEIGHT - 1 })],
  ['creates without leave', three, pay(0, 3, 0, { fee: 10_100n })],
  ['fee too low', three, pay(0, 1, 0, { fee: 99n })],
  ['fee too low for a cell', three, pay(0, 3, 0, { ...toNew, fee: 10_099n })],
  ['another’s cell', three, pay(0, 1, 0, { toCell: 2 })],
  ['more than there is', three, pay(0, 1, 0, { amount: 999_901n })],
  ['amount and fee beyond a u64', three, pay(0, 1, 0, { amount: TOP, fee: TOP })],
  [
    'overflow of the recipient',
    stateOf([...three.accounts.slice(0, 1), accountOf(key(1), TOP - 999n)], 0n, { supply: TOP }),
    pay(0, 1, 0),
  ],
  ['overflow of the fees', stateOf(three.accounts, TOP, { supply: TOP }), pay(0, 1, 0)],
  [
    'overflow of the nonce',
    stateOf([accountOf(key(0), 1_000_000n, TOP), ...three.accounts.slice(1)]),
    pay(0, 1, 0, { nonce: TOP }),
  ],
  ['signed by another', three, realOwners.sign(1, { from: 0, to: key(1), toCell: 1, amount: 1000n })],
  ['another amount than was signed', three, { ...pay(0, 1, 0), amount: 1001n }],
  ['another recipient than was signed', three, { ...pay(0, 1, 0), to: params.keys.fees, toCell: 2 }],
  ['leave to create that was not signed', three, { ...pay(0, 3, 0, { fee: 10_100n }), mayCreate: true }],
  [
    'owner off the curve',
    stateOf([accountOf(new Uint8Array(32).fill(3), 1_000_000n), ...three.accounts.slice(1)]),
    pay(0, 1, 0),
  ],
]

const withdraw = (from: number, nonce: number, more: Partial<Taking> = {}) => withdrawAny(from, nonce, more, realOwners)
const program = (size: number) => new Uint8Array(size).fill(7)

const withdrawals = (): Try[] => {
  const rich = stateOf([accountOf(key(0), 10_000_000n), accountOf(key(1), 20_000_100n, 7n)])
  const bytes = encodeOperation(withdraw(0, 0))
  return [
    ['to P2TR', rich, withdraw(0, 0)],
    ['to P2WSH', rich, withdraw(0, 0, { script: concatBytes(Uint8Array.of(0, 32), program(32)) })],
    ['to P2WPKH', rich, withdraw(0, 0, { script: concatBytes(Uint8Array.of(0, 20), program(20)) })],
    [
      'to P2SH',
      rich,
      withdraw(0, 0, { script: concatBytes(Uint8Array.of(0xa9, 20), program(20), Uint8Array.of(0x87)) }),
    ],
    [
      'to P2PKH',
      rich,
      withdraw(0, 0, {
        script: concatBytes(Uint8Array.of(0x76, 0xa9, 20), program(20), Uint8Array.of(0x88, 0xac)),
      }),
    ],
    ['of everything', rich, withdraw(1, 7, { amount: 20_000n })],
    ['of the least', rich, withdraw(0, 0, { amount: 646n, payoutFee: 100n })],
    ['at its expiry', rich, withdraw(0, 0, { expiry: ORIGIN_HEIGHT })],
    ['the last that can be counted', stateOf(rich.accounts, 0n, { withdrawals: 0xfffffffe }), withdraw(0, 0)],
    ['up to all that can be owed', stateOf(rich.accounts, 0n, { owed: TOP - 5_000_000n }), withdraw(0, 0)],
    ['undecodable: a byte behind it', rich, concatBytes(bytes, Uint8Array.of(0))],
    ['undecodable: a byte short', rich, bytes.slice(0, -1)],
    ['undecodable: a script of kind 0', rich, bytes.with(17, 0)],
    ['undecodable: a script of kind 6', rich, bytes.with(17, 6)],
    ['undecodable: a short script with something behind it', rich, bytes.with(17, 3)],
    ['unknown cell', rich, withdraw(0, 0, { from: 2 })],
    ['nonce used', rich, withdraw(1, 6)],
    ['nonce ahead', rich, withdraw(0, 1)],
    ['expired', rich, withdraw(0, 0, { expiry: ORIGIN_HEIGHT - 1 })],
    ['fee too low', rich, withdraw(0, 0, { fee: 99n })],
    ['too little for the payout', rich, withdraw(0, 0, { payoutFee: 99n })],
    ['dust', rich, withdraw(0, 0, { amount: 645n, payoutFee: 100n })],
    ['a limit beyond the amount', rich, withdraw(0, 0, { payoutFee: TOP })],
    ['more than there is', rich, withdraw(0, 0, { amount: 10_000n })],
    ['an amount beyond all bounds', rich, withdraw(0, 0, { amount: TOP })],
    ['overflow of the count', stateOf(rich.accounts, 0n, { withdrawals: 0xffffffff }), withdraw(0, 0)],
    ['overflow of what is owed', stateOf(rich.accounts, 0n, { owed: TOP - 4_999_999n }), withdraw(0, 0)],
    ['overflow of the fees', stateOf(rich.accounts, TOP, { supply: TOP }), withdraw(0, 0)],
    ['overflow of the nonce', stateOf([accountOf(key(0), 10_000_000n, TOP)]), withdraw(0, 0, { nonce: TOP })],
    ['signed by another', rich, realOwners.signWithdrawal(1, { from: 0, amount: 5_000n })],
    ['another amount than was signed', rich, { ...withdraw(0, 0), amount: 5_001n }],
    ['another script than was signed', rich, { ...withdraw(0, 0), script: payoutScript(2) }],
    ['another limit than was signed', rich, { ...withdraw(0, 0), payoutFee: 1_001n }],
  ]
}

const credit = (cell: number, owner: Uint8Array, amount: bigint): Operation => {
  return { kind: 'deposit', position: { height: 120, tx: 4, index: 1 }, key: owner, amount, cell }
}

const credits = (): Try[] => [
  ['to an existing cell', three, credit(1, key(1), 5_000_000n)],
  ['that creates a cell', three, credit(3, key(3), 5_000_000n)],
  ['that creates the first cell', stateOf([], 0n), credit(0, key(0), 5_000_000n)],
  ['that creates the second cell: the tree grows', stateOf([accountOf(key(0), 5n)]), credit(1, key(1), 5_000_000n)],
  ['one more than the cell fee', three, credit(3, key(3), 10_001n)],
  ['to a key off the curve', three, credit(3, new Uint8Array(32).fill(0xff), 5_000_000n)],
  [
    'up to 21 million bitcoin',
    stateOf(three.accounts, 50_000n, { supply: 2_099_999_999_995_000_000n }),
    credit(1, key(1), 5_000_000n),
  ],
  [
    'up to 21 million bitcoin beside what was taken out again',
    stateOf(three.accounts, 50_000n, { supply: 2_100_999_999_995_000_000n, owed: 1_000_000_000_000_000n }),
    credit(1, key(1), 5_000_000n),
  ],
  [
    'beyond 21 million bitcoin beside what was taken out again',
    stateOf(three.accounts, 50_000n, { supply: 2_100_999_999_995_000_001n, owed: 1_000_000_000_000_000n }),
    credit(1, key(1), 5_000_000n),
  ],
  ['undecodable: a byte behind it', three, concatBytes(encodeOperation(credit(1, key(1), 1n)), Uint8Array.of(0))],
  ['unknown cell', three, credit(4, key(3), 5_000_000n)],
  ['another’s cell', three, credit(0, key(1), 5_000_000n)],
  ['no more than the cell fee', three, credit(3, key(3), 10_000n)],
  ['of nothing', three, credit(1, key(1), 0n)],
  [
    'beyond 21 million bitcoin',
    stateOf(three.accounts, 50_000n, { supply: 2_099_999_999_995_000_001n }),
    credit(1, key(1), 5_000_000n),
  ],
  ['overflow of the balance', stateOf([accountOf(key(0), TOP)], 50_000n, { supply: 0n }), credit(0, key(0), 1n)],
  ['overflow of the fees', stateOf([], TOP, { supply: 0n }), credit(0, key(0), 5_000_000n)],
]

const force = (operation: SignedOperation): Operation => {
  return { kind: 'forced', position: { height: 140, tx: 3, index: 0 }, operation }
}

const forcings = (): Try[] => [
  ['a transfer', three, force(pay(0, 1, 0))],
  ['a transfer that creates the fifth cell: the tree grows', four, force(pay(0, 4, 0, toNew))],
  ['a withdrawal', stateOf([accountOf(key(0), 10_000_000n)]), force(withdraw(0, 0))],
  ['used up: its nonce is', three, force(pay(1, 0, 6))],
  ['used up: more than there is', three, force(withdraw(0, 0))],
  ['used up: another’s signature', three, force({ ...pay(0, 1, 0), amount: 1n })],
  ['used up: no such cell', three, force(pay(0, 1, 0, { from: 9 }))],
  ['used up: it would create a cell, but for the fee', four, force(pay(0, 4, 0, { ...toNew, fee: 10_099n }))],
  [
    'used up: the recipient has all that a field holds',
    stateOf([accountOf(key(0), 1_000_000n), accountOf(key(1), TOP)], 0n, { supply: TOP }),
    force(pay(0, 1, 0)),
  ],
  [
    'undecodable: a collect',
    three,
    concatBytes(encodeOperation(force(pay(0, 1, 0))).slice(0, 9), encodeOperation(collect(2, 1n))),
  ],
  [
    'undecodable: forced twice',
    three,
    concatBytes(encodeOperation(force(pay(0, 1, 0))).slice(0, 9), encodeOperation(force(pay(0, 1, 0)))),
  ],
  ['undecodable: nothing', three, encodeOperation(force(pay(0, 1, 0))).slice(0, 9)],
]

const collect = (cell: number, amount: bigint): Operation => ({ kind: 'collect', cell, amount })

const collects = (): Try[] => [
  ['to the fee key’s cell', three, collect(2, 20_000n)],
  ['of everything', three, collect(2, 50_000n)],
  ['that creates a cell', three, collect(3, 20_000n)],
  ['undecodable: a byte short', three, encodeOperation(collect(2, 1n)).slice(1)],
  ['unknown cell', three, collect(4, 20_000n)],
  ['another’s cell', three, collect(0, 20_000n)],
  ['of nothing', three, collect(2, 0n)],
  ['more than was collected', three, collect(2, 50_001n)],
  ['no more than the cell fee', three, collect(3, 10_000n)],
]

/** How a state looks in a vector. */
export function stateToJson({ accounts, totals }: State): Json {
  const root = sha256(
    concatBytes(naiveRoot(accounts.map((account) => sha256(encodeAccount(account)))), sha256(encodeTotals(totals))),
  )
  return { cells: toJson(accounts.map(encodeAccount)), totals: toJson(totals), root: toJson(root) }
}

export const vectorContext: Context = { params, originHeight: ORIGIN_HEIGHT, isSigned }

/** The outcome of one operation on a state of accounts. */
function outcomeOf({ accounts, totals }: State, bytes: Uint8Array): Json {
  const tree = new CellTree()
  for (const [cell, account] of accounts.entries()) tree.put(cell, account)
  const operation = decodeOperation(bytes)
  const outcome = operation && applyOperation(vectorContext, tree, totals, operation)
  if (!outcome?.ok) return { refusal: outcome?.refusal ?? 'undecodable' }
  for (const { cell, account } of outcome.updates) tree.put(cell, account)
  const after = Array.from({ length: tree.count }, (_, cell) => tree.account(cell))
  return { post: stateToJson({ accounts: after, totals: outcome.totals }) }
}

function vectorOf(kind: string): (entry: Try) => Json {
  return ([name, pre, operation]) => {
    const bytes = operation instanceof Uint8Array ? operation : encodeOperation(operation)
    return {
      name: `${kind}: ${name}`,
      pre: stateToJson(pre),
      operation: toJson(bytes),
      ...(outcomeOf(pre, bytes) as object),
    }
  }
}

export function operationVectors(): Json {
  const cases = [
    ...transfers().map(vectorOf('transfer')),
    ...withdrawals().map(vectorOf('withdrawal')),
    ...credits().map(vectorOf('deposit')),
    ...collects().map(vectorOf('collect')),
    ...forcings().map(vectorOf('forced')),
  ]
  return {
    about: 'applyOperation: a state, an operation in bytes, and the state after it or why it is refused',
    originHeight: ORIGIN_HEIGHT,
    cases,
  }
}

/** What is signed, and the signature that auxiliary randomness of zeros gives. */
export function signatureVectors(): Json {
  const signed: [string, SignedOperation][] = [
    ['transfer: plain', pay(0, 1, 0)],
    ['transfer: every field', pay(1, 0, 7, { ...toNew, memo: sha256(Uint8Array.of(2)), expiry: 200 })],
    ['withdrawal', withdraw(0, 3, { expiry: 200, fee: 777n })],
  ]
  const cases = signed.map(([name, operation]) => ({
    name,
    secret: toJson(secretOf(41 + operation.from)),
    owner: toJson(key(operation.from)),
    signed: toJson(operation),
    message: toJson(signedMessage(network, operation)),
    signature: toJson(operation.signature),
    operation: toJson(encodeOperation(operation)),
  }))
  return {
    about: 'a signed operation, the 32 bytes that its cell’s owner signs, the signature and the operation in bytes',
    network: toJson(network),
    cases,
  }
}
