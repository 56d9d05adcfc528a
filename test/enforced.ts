/** A row of the README's table "who enforces what", word for word, and what shows that it is true. */
export interface Enforced {
  readonly what: string
  readonly who: string
  /** The last column, claim by claim: what stands between its semicolons. */
  readonly how: readonly Claim[]
}

interface Claim {
  readonly says: string
  /** Titles of tests, by file. One of them at least fails where the claim is not true. */
  readonly by: Readonly<Record<string, readonly string[]>>
}

/** In the table's order. A cell that changes needs another look at its tests; a claim without one can't be there. */
export const ENFORCED: readonly Enforced[] = [
  {
    what: 'order and uniqueness of batches',
    who: 'Bitcoin',
    how: [
      {
        says: 'each anchor spends the one before it',
        by: {
          'regtest/test/anchors.test.ts': [
            'twenty anchors wait in a row, and the last is replaced',
            "a stranger can't spend a link",
            'the takeover is t watchers’ and nobody else’s, however long the link has stood',
          ],
          'packages/commitment/test/anchors-reorg.test.ts': ['a reorganisation of %i blocks gives them back unchanged'],
        },
      },
      {
        says: 'every spend takes a number, no number comes twice',
        by: {
          'packages/core/test/links.test.ts': [
            'two in one block, the second spends the first',
            'a second anchor of a header that is not final is null',
          ],
        },
      },
    ],
  },
  {
    what: 'what a batch’s state root is',
    who: 'Bitcoin',
    how: [
      {
        says: 'it stands in the anchor, with the header’s hash',
        by: {
          'packages/core/test/header.test.ts': ['anchored-post: the anchor says another state'],
          'packages/node/test/queries.test.ts': ['shows links, headers and finality'],
        },
      },
    ],
  },
  {
    what: 'that a batch whose place a reorganisation moved never lives',
    who: 'every node, from Bitcoin alone',
    how: [
      {
        says: 'the anchor marks its origin and its parent',
        by: {
          'packages/core/test/header.test.ts': [
            'when Bitcoin drops the origin, the same anchors on the other branch never live, and a resume goes on at once',
            'holds the origin’s height and hash and the parent’s hash: with another byte it is null, and a resume goes on',
          ],
          'regtest/test/reorg.test.ts': ['of depth %i, across anchors and deposits'],
        },
      },
    ],
  },
  {
    what: 'that a wrong batch dies',
    who: 'every node, by one rule, from Bitcoin alone',
    how: [
      {
        says: 'evidence mined in Bitcoin: a proof of one step, a header’s fault, or a data challenge that nobody answered',
        by: {
          'packages/core/test/flow/attacks.test.ts': ['%s: void on every node, and the chain goes on'],
          'packages/core/test/voids.test.ts': [
            'makes a batch and its descendants void; a resume goes on from the head',
          ],
          'packages/core/test/lies.test.ts': ['a batch that is right has no evidence against it'],
          'packages/core/test/challenges.test.ts': [
            'in the block after it the batch is void before its first transaction',
          ],
          'packages/commitment/test/publish.test.ts': ['evidence of 3 kB is mined in one block, and read back'],
        },
      },
    ],
  },
  {
    what: 'that deposits are credited, in order',
    who: 'every node',
    how: [
      {
        says: 'a skipped or invented one is a fault with a proof',
        by: {
          'packages/core/test/lies.test.ts': [
            'skipped in a batch of nothing else, or of nothing at all',
            'credited before the origin has them',
          ],
          'packages/core/test/deposits.test.ts': ['the first swept behind the cursor, up to the origin'],
          'packages/node/test/queries.test.ts': ['shows deposits from their block on, due and credited'],
        },
      },
    ],
  },
  {
    what: 'availability of data',
    who: 'Bitcoin, one honest challenger, or one honest of t watchers: by the network’s mode',
    how: [
      {
        says: 'data stand in Bitcoin’s blocks',
        by: {
          'packages/core/test/bitcoin-mode.test.ts': [
            'its data on Bitcoin are the answer, in parts and from anybody',
            'withheld, or less than all of it: void in the block behind the deadline, and a resume goes on',
          ],
          'regtest/test/modes.test.ts': [
            'what its sequencer does not publish is void, and the chain goes on',
            'is followed from Bitcoin alone, by a node that has no peers',
          ],
        },
      },
      {
        says: 'or they are asked for there, and answered in time or the batch is void',
        by: {
          'packages/node/test/hidden.test.ts': ['is missed too, before its time to be challenged is over'],
          'packages/core/test/challenges.test.ts': [
            'in the block after it the batch is void before its first transaction',
          ],
          'packages/core/test/flow/attacks.test.ts': [
            'half the nodes have the data; challenge and answer in their last blocks, in parts from anybody, garbage first',
          ],
          'packages/commitment/test/publish.test.ts': [
            'a challenge burns its payment, and an answer of 300 kB ends it two blocks later',
          ],
        },
      },
      {
        says: 'or t watchers vouch for a large batch in its header, which is trust, in the same t who could spend the vault',
        by: {
          'packages/core/test/certificate.test.ts': [
            'who withholds a header above the cap that nobody vouches for must show it, and evidence follows',
            't watchers who lie keep a false batch’s data from everybody: that is what trusting them means',
          ],
          'regtest/test/modes.test.ts': [
            'takes more into a batch than its cap while anchors wait, and everybody follows',
          ],
        },
      },
    ],
  },
  {
    what: 'that nobody delays finality for long, or for nothing',
    who: 'every node, from Bitcoin alone',
    how: [
      {
        says: 'each challenge burns its payment, counts once, and has a deadline',
        by: {
          'packages/core/test/challenges.test.ts': [
            'each kind once, in one block or two',
            'an answer at the deadline counts',
            'the payment is the tag’s own value, and the signal script must be paid',
          ],
          'regtest/test/relay.test.ts': [
            'a challenge, which burns its payment',
            'nobody else can spend the pieces that a reveal shows',
          ],
        },
      },
      {
        says: 'what each attack costs stands in §16',
        by: {
          'test/griefing.test.ts': ['the table of the specification is what the transactions and the rules make'],
          'packages/node/test/false-challenges.test.ts': [
            'false challenges, raised and answered as late as can be, delay finality by what the specification says',
          ],
        },
      },
    ],
  },
  {
    what: 'that a batch has a stake behind it, where the network asks for a bond',
    who: 'Bitcoin Script, and every node',
    how: [
      {
        says: 'the bond can’t leave before T, or past its detector',
        by: {
          'packages/bond/test/bond-bitcoind.test.ts': [
            'the sequencer takes its bond back after T blocks, and not one earlier',
            'a return by any leaf before its time',
            'the sequencer alone, or any co-signers but all, on B',
          ],
        },
      },
      {
        says: 'a batch that no bond covers is without effect',
        by: {
          'packages/core/test/bonds.test.ts': [
            'takes no batch before one counts, and k blocks have passed',
            'takes batches up to an epoch behind the funding, and then those of the next bond',
          ],
        },
      },
    ],
  },
  {
    what: 'that the sequencer says one thing in one place',
    who: 'Bitcoin Script',
    how: [
      {
        says: 'two messages of the slot key for one slot give its key to everybody, who then slashes: `kedge bond slash`',
        by: {
          'packages/bond/test/slots.test.ts': ['give the key to everybody'],
          'packages/bond/test/bond-bitcoind.test.ts': [
            'an outsider slashes with two signatures for one slot',
            'a slash by one honest signature for a slot',
            'the sequencer slashes itself: the forfeit is lost all the same',
          ],
          'regtest/test/bond.long.test.ts': ['an outsider slashes with two messages for one slot, and with no others'],
        },
      },
      {
        says: 'a challenger that saw both, in ticks, headers or receipts that it passed on, does so by itself',
        by: {
          'packages/challenger/test/kept-ticks.test.ts': [
            'give the key away, also where one of them came before a restart; and that is known for ever',
            'are not hidden by what nobody signed, whose sender is blamed',
          ],
          'regtest/test/bond-guard.test.ts': [
            'slash it for two promises in one slot, of which one came before a restart',
            'hold nothing against a sequencer that is killed, and whose batches Bitcoin drops',
          ],
          'regtest/test/bond.long.test.ts': [
            'a challenger that hears two headers, which show two of one slot, slashes by itself',
          ],
        },
      },
    ],
  },
  {
    what: 'that the stake of one that lied otherwise is lost',
    who: 't-of-n watchers',
    how: [
      {
        says: 'each signs the slash by its own state, for a batch that Bitcoin shows to be void for a lie, or for a tick that its batch does not begin with',
        by: {
          'packages/bond/test/bond-bitcoind.test.ts': [
            'each two of three watchers slash',
            'a slash by fewer watchers than the threshold, or by strangers',
            'the detector alone, by fewer watchers than the threshold, by strangers, or by the return key too early',
          ],
          'regtest/test/bond-cosign.test.ts': [
            'is given where its own state says that a batch is void for a lie, and nowhere else',
            'is given for a promise that was broken, once k blocks show it, and for no other',
          ],
          'packages/core/test/promise.test.ts': ['%s'],
        },
      },
      {
        says: 'challengers, who are told of each tick, ask them by themselves',
        by: {
          'packages/challenger/test/promise-watch.test.ts': [
            'that it does not begin with are broken promises, as watchers find, also after a restart',
            'that their batch begins with are forgotten, once it is deep enough',
          ],
          'regtest/test/bond-guard.test.ts': [
            'slash it for a promise that its batch breaks, which each of them was told of',
          ],
          'regtest/test/bond.long.test.ts': ['the watchers slash by their word, when a batch is void for a lie'],
        },
      },
      {
        says: 'Script takes their word, so t that lie can take or freeze an honest stake',
        by: {
          'packages/bond/test/bond-bitcoind.test.ts': [
            'each two of three watchers slash',
            'the detector is spent alone by %s: the bond is frozen, for everybody',
          ],
        },
      },
    ],
  },
  {
    what: 'that a deposit nobody swept comes back',
    who: 'Bitcoin',
    how: [
      {
        says: 'the depositor’s own leaf, after R blocks: `kedge wallet refund`',
        by: {
          'regtest/test/vault.test.ts': [
            'the depositor takes back what nobody swept, R blocks later and not one earlier; after a sweep never',
          ],
          'packages/core/test/flow/money.test.ts': ['nobody signs a sweep in the last m blocks'],
          'regtest/test/ways-out.long.test.ts': [
            'a deposit that nobody sweeps comes back to its depositor, R blocks later and not one earlier, once',
          ],
        },
      },
    ],
  },
  {
    what: 'that no payer is left out',
    who: 'every node, from Bitcoin alone',
    how: [
      {
        says: '`kedge wallet force`: what is published there, a withdrawal or a payment, must stand in the batches from F blocks on',
        by: {
          'packages/core/test/forced.test.ts': [
            'the first behind the cursor, F blocks below the origin, up to both caps',
          ],
          'packages/node/test/withdrawals.test.ts': [
            'what is forced shows when it is due, which batch carried it, and whether it did anything',
          ],
          'regtest/test/ways-out.long.test.ts': [
            'what was forced and never reached Bitcoin is published once when the wallet resumes, and executed once',
          ],
        },
      },
      {
        says: 'one without it is void by evidence',
        by: {
          'packages/core/test/forced.test.ts': [
            'who skips what was forced is found, at the operation that stands there or at the end',
          ],
        },
      },
    ],
  },
  {
    what: 'custody of what was swept',
    who: 't-of-n watchers, which t of them can break',
    how: [
      {
        says: 'one chain of vault outputs',
        by: {
          'regtest/test/vault.test.ts': ['of two payouts from one head only the dearer is left'],
        },
      },
      {
        says: 'each watcher signs only what its own state owes, so fewer than t lying ones move nothing, and n − t dead ones stop nothing',
        by: {
          'regtest/test/vault.test.ts': [
            'fewer than t watchers, strangers, the wrong order, or more than t: nothing that Bitcoin takes',
            'a deposit is swept by t watchers and by nobody else, alone or beside a head that t have signed for',
          ],
          'packages/core/test/vault-judge.test.ts': ['is the plan that it would have made itself, to the byte'],
          'regtest/test/lying-watcher.long.test.ts': [
            'gets no signature for a claim that is not owed or not final, another header, a stale head, or too high a fee',
          ],
          'regtest/test/watchers.long.test.ts': [
            'without t of them nothing moves; with them again all does, also after kill -9 in the middle',
          ],
        },
      },
    ],
  },
  {
    what: 'that a withdrawal is paid once',
    who: 'Bitcoin, and every node',
    how: [
      {
        says: 'each payout spends the one before it',
        by: {
          'regtest/test/vault.test.ts': ['of two payouts from one head only the dearer is left'],
        },
      },
      {
        says: 'a claim that one of them has paid is paid',
        by: {
          'packages/core/test/vault.test.ts': ['pays none that was paid before'],
          'packages/core/test/flow/money.test.ts': [
            'is not mined again with other outputs: a claim that is paid is in no further plan',
          ],
        },
      },
    ],
  },
  {
    what: 'that none is paid before it is final',
    who: 't-of-n watchers, and nobody else',
    how: [
      {
        says: 'each signs a payout only when its own state finds the batch final and k blocks have passed',
        by: {
          'packages/core/test/flow/money.test.ts': [
            'nothing is paid before its batch is final and k blocks have passed, nor for a batch that is void',
          ],
          'packages/core/test/vault-judge.test.ts': [
            'is refused where the header is older than a claim’s batch, or not final yet',
          ],
        },
      },
      {
        says: 'Bitcoin would take it at any time',
        by: {
          'packages/core/test/vault.test.ts': ['must be one of this chain’s: final, now or before, or alive'],
          'regtest/test/vault.test.ts': ['of two payouts from one head only the dearer is left'],
        },
      },
    ],
  },
  {
    what: 'that there is as much as is owed',
    who: 'every node, at every block',
    how: [
      {
        says: 'vault and deposits against balances, fees and withdrawals',
        by: {
          'packages/core/test/flow/money.fuzz.test.ts': [
            'at every block there is as much as is owed, nobody is paid twice, and in the end everybody is out',
          ],
        },
      },
      {
        says: 'shown by `/health` and `/metrics`, an error in the log',
        by: {
          'packages/node/test/metrics.test.ts': ['say what there is and what is owed'],
        },
      },
    ],
  },
  {
    what: 'that what has a deadline on Bitcoin meets it while fees rise',
    who: 'whoever sent it',
    how: [
      {
        says: 'raised block by block, to the operator’s `--max-fee-rate` at the deadline',
        by: {
          'packages/commitment/test/fee-market.test.ts': [
            'a challenge and evidence, published in calm, and the answer are mined within their windows',
            'anchors, one for each block, while they can live',
          ],
          'regtest/test/fee-market.long.test.ts': [
            'a payout, the slash of a bond and anchors, all sent in calm, are mined in time',
          ],
        },
      },
      {
        says: 'what that keeps out of the blocks is an alarm in `/health`, `/metrics` and the log',
        by: {
          'packages/commitment/test/fee-market.test.ts': [
            'what the cap keeps out says so, and is mined when it is raised',
          ],
          'packages/node/test/metrics.test.ts': [
            'say what waits for a block, and alarm where the cap keeps it there; so does health',
          ],
        },
      },
    ],
  },
  {
    what: 'a way out when the sequencer is gone',
    who: 'Bitcoin, every node, t watchers',
    how: [
      {
        says: 'forced withdrawals',
        by: {
          'packages/core/test/exit.test.ts': [
            'forced operations apply block by block, at once, and what can’t stand is used up',
            'everybody is paid, to what no output can hold',
          ],
        },
      },
      {
        says: 'after E blocks without a batch each block moves the ledger, and the watchers pay',
        by: {
          'packages/core/test/exit.test.ts': ['the exit begins when the last batch’s windows are over'],
          'packages/node/test/exit.test.ts': [
            'credits what is swept, applies what is forced, and owes it',
            'pays a claim k blocks behind its step',
          ],
          'regtest/test/derived.long.test.ts': [
            'tells the same of bonds, voids, payouts, forced operations and exit as one from the start',
          ],
        },
      },
    ],
  },
]
