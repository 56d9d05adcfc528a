/** What shows that a row of the README's table "who enforces what" is true. */
export interface Shown {
  /** The row's first column. */
  readonly what: string
  /** Titles of tests, by file. Each of them fails where the row is not true. */
  readonly by: Readonly<Record<string, readonly string[]>>
}

/** In the table's order. A row that changes needs another look at its tests; a row without one can't be there. */
export const SHOWN: readonly Shown[] = [
  {
    what: 'order and uniqueness of batches',
    by: {
      'packages/core/test/links.test.ts': [
        'two in one block, the second spends the first',
        'a second anchor of a header that is not final is null',
      ],
      'regtest/test/anchors.test.ts': [
        "a stranger can't spend a link",
        'the takeover is t watchers’ and nobody else’s, however long the link has stood',
      ],
      'packages/commitment/test/anchors-reorg.test.ts': ['a reorganisation of %i blocks gives them back unchanged'],
    },
  },
  {
    what: 'what a batch’s state root is',
    by: {
      'packages/core/test/header.test.ts': ['anchored-post: the anchor says another state'],
      'packages/node/test/queries.test.ts': ['shows links, headers and finality'],
    },
  },
  {
    what: 'that a batch whose place a reorganisation moved never lives',
    by: {
      'packages/core/test/header.test.ts': [
        'when Bitcoin drops the origin, the same anchors on the other branch never live, and a resume goes on at once',
        'holds the origin’s height and hash and the parent’s hash: with another byte it is null, and a resume goes on',
      ],
      'regtest/test/reorg.test.ts': ['of depth %i, across anchors and deposits'],
    },
  },
  {
    what: 'that a wrong batch dies',
    by: {
      'packages/core/test/flow/attacks.test.ts': ['%s: void on every node, and the chain goes on'],
      'packages/core/test/voids.test.ts': ['makes a batch and its descendants void; a resume goes on from the head'],
      'packages/core/test/lies.test.ts': ['a batch that is right has no evidence against it'],
      'packages/commitment/test/publish.test.ts': ['evidence of 3 kB is mined in one block, and read back'],
    },
  },
  {
    what: 'that deposits are credited, in order',
    by: {
      'packages/core/test/lies.test.ts': [
        'skipped in a batch of nothing else, or of nothing at all',
        'credited before the origin has them',
      ],
      'packages/core/test/deposits.test.ts': ['the first swept behind the cursor, up to the origin'],
      'packages/node/test/queries.test.ts': ['shows deposits from their block on, due and credited'],
    },
  },
  {
    what: 'availability of data',
    by: {
      'packages/node/test/hidden.test.ts': ['is missed too, before its time to be challenged is over'],
      'packages/core/test/challenges.test.ts': ['in the block after it the batch is void before its first transaction'],
      'packages/core/test/flow/attacks.test.ts': [
        'half the nodes have the data; challenge and answer in their last blocks, in parts from anybody, garbage first',
      ],
      'packages/commitment/test/publish.test.ts': [
        'a challenge burns its payment, and an answer of 300 kB ends it two blocks later',
      ],
      'packages/core/test/bitcoin-mode.test.ts': [
        'its data on Bitcoin are the answer, in parts and from anybody',
        'withheld, or less than all of it: void in the block behind the deadline, and a resume goes on',
      ],
      'packages/core/test/certificate.test.ts': [
        'who withholds a header above the cap that nobody vouches for must show it, and evidence follows',
        't watchers who lie keep a false batch’s data from everybody: that is what trusting them means',
      ],
      'regtest/test/modes.test.ts': [
        'takes more into a batch than its cap while anchors wait, and everybody follows',
        'what its sequencer does not publish is void, and the chain goes on',
        'is followed from Bitcoin alone, by a node that has no peers',
      ],
    },
  },
  {
    what: 'that nobody delays finality for long, or for nothing',
    by: {
      'test/griefing.test.ts': ['the table of the specification is what the transactions and the rules make'],
      'packages/node/test/false-challenges.test.ts': [
        'false challenges, raised and answered as late as can be, delay finality by what the specification says',
      ],
      'regtest/test/relay.test.ts': ['nobody else can spend the pieces that a reveal shows'],
    },
  },
  {
    what: 'that a batch has a stake behind it, where the network asks for a bond',
    by: {
      'packages/core/test/bonds.test.ts': [
        'takes no batch before one counts, and k blocks have passed',
        'takes batches up to an epoch behind the funding, and then those of the next bond',
      ],
      'packages/bond/test/bond-bitcoind.test.ts': [
        'the sequencer takes its bond back after T blocks, and not one earlier',
        'a return by any leaf before its time',
        'the sequencer alone, or any co-signers but all, on B',
      ],
    },
  },
  {
    what: 'that the sequencer says one thing in one place',
    by: {
      'packages/bond/test/slots.test.ts': ['give the key to everybody'],
      'packages/bond/test/bond-bitcoind.test.ts': [
        'an outsider slashes with two signatures for one slot',
        'a slash by one honest signature for a slot',
        'the sequencer slashes itself: the forfeit is lost all the same',
      ],
    },
  },
  {
    what: 'that the stake of one that lied otherwise is lost',
    by: {
      'packages/bond/test/bond-bitcoind.test.ts': [
        'each two of three watchers slash',
        'a slash by fewer watchers than the threshold, or by strangers',
        'the detector is spent alone by %s: the bond is frozen, for everybody',
        'the detector alone, by fewer watchers than the threshold, by strangers, or by the return key too early',
      ],
      'regtest/test/bond-cosign.test.ts': [
        'is given where its own state says that a batch is void for a lie, and nowhere else',
        'is given for a promise that was broken, once k blocks show it, and for no other',
      ],
      'regtest/test/bond.long.test.ts': ['the watchers slash by their word, when a batch is void for a lie'],
    },
  },
  {
    what: 'that a deposit nobody swept comes back',
    by: {
      'regtest/test/vault.test.ts': [
        'the depositor takes back what nobody swept, R blocks later and not one earlier; after a sweep never',
      ],
      'packages/core/test/flow/money.test.ts': ['nobody signs a sweep in the last m blocks'],
    },
  },
  {
    what: 'that no payer is left out',
    by: {
      'packages/core/test/forced.test.ts': [
        'who skips what was forced is found, at the operation that stands there or at the end',
        'the first behind the cursor, F blocks below the origin, up to both caps',
      ],
      'packages/node/test/withdrawals.test.ts': [
        'what is forced shows when it is due, which batch carried it, and whether it did anything',
      ],
    },
  },
  {
    what: 'custody of what was swept',
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
  {
    what: 'that a withdrawal is paid once',
    by: {
      'regtest/test/vault.test.ts': ['of two payouts from one head only the dearer is left'],
      'packages/core/test/vault.test.ts': ['pays none that was paid before'],
      'packages/core/test/flow/money.test.ts': [
        'is not mined again with other outputs: a claim that is paid is in no further plan',
      ],
    },
  },
  {
    what: 'that there is as much as is owed',
    by: {
      'packages/core/test/flow/money.fuzz.test.ts': [
        'at every block there is as much as is owed, nobody is paid twice, and in the end everybody is out',
      ],
      'packages/node/test/metrics.test.ts': ['say what there is and what is owed'],
    },
  },
  {
    what: 'that what has a deadline on Bitcoin meets it while fees rise',
    by: {
      'packages/commitment/test/fee-market.test.ts': [
        'a challenge and evidence, published in calm, and the answer are mined within their windows',
        'anchors, one for each block, while they can live',
        'what the cap keeps out says so, and is mined when it is raised',
      ],
      'regtest/test/fee-market.long.test.ts': [
        'a payout, the slash of a bond and anchors, all sent in calm, are mined in time',
      ],
    },
  },
  {
    what: 'a way out when the sequencer is gone',
    by: {
      'packages/core/test/exit.test.ts': [
        'the exit begins when the last batch’s windows are over',
        'everybody is paid, to what no output can hold',
      ],
      'packages/node/test/exit.test.ts': [
        'credits what is swept, applies what is forced, and owes it',
        'pays a claim k blocks behind its step',
      ],
    },
  },
]
