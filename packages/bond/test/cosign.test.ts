import { publicKeyOf } from '@kedge/bitcoin'
import { concatBytes, cosignersOf, equalBytes, jointKey, toHex } from '@kedge/core'
import { keyAggExport, keyAggregate } from '@scure/btc-signer/musig2.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LeaderEffect, type LeaderState, newRecord, openSession, stepLeader } from '../src/cosign-leader.ts'
import type { BondRecord, CosignerMessage, LeaderMessage } from '../src/cosign-message.ts'
import { areCosigned } from '../src/cosign-round.ts'
import { stepCosigner } from '../src/cosigner.ts'
import { type BondTerms, findTermsFault } from '../src/terms.ts'
import { setupId } from '../src/terms-codec.ts'
import { of } from './ground.ts'
import {
  BOND,
  cosign,
  DETECTOR,
  KEYS,
  LEADER,
  newWatcher,
  RULES,
  random,
  SECRETS,
  tell,
  termsFor,
  type Watcher,
} from './parties.ts'

const SCRIPT = new Uint8Array([0x51, 0x20, ...KEYS.return])
const TERMS = termsFor(BOND, [DETECTOR], SCRIPT)

const watchers = () => SECRETS.watchers.map(newWatcher)
const open = (terms: BondTerms, session = random().slice(0, 16)): LeaderMessage => {
  return { kind: 'open', session, stage: 'slash', terms, slashes: [] }
}

test('the joint key is BIP327’s, as another implementation has it', () => {
  const twice = [...SECRETS.watchers, SECRETS.watchers[0]].map(publicKeyOf)
  for (const keys of [KEYS.watchers, cosignersOf(KEYS), KEYS.watchers.slice(1), KEYS.watchers.slice(2), twice]) {
    const theirs = keyAggExport(keyAggregate(keys.map((key) => concatBytes(Uint8Array.of(2), key))))
    expect(jointKey(keys)).toEqual(theirs)
  }
})

describe('terms', () => {
  test('that are the rules are right', () => {
    expect(findTermsFault(TERMS, RULES)).toBeUndefined()
    expect(findTermsFault(termsFor(BOND, [DETECTOR, other(DETECTOR, 3)], SCRIPT), RULES)).toBeUndefined()
  })

  const other = (output: typeof BOND, vout: number) => ({ ...output, outpoint: { ...output.outpoint, vout } })
  const wrong: readonly (readonly [string, Partial<BondTerms>])[] = [
    ['another network', { network: of(8) }],
    ...[
      ...[{ watchers: KEYS.watchers.slice(1) }, { watchers: [...KEYS.watchers].reverse() }, { threshold: 1 }],
      ...[{ slot: publicKeyOf(of(77)) }, { return: KEYS.sequencer }, { sequencer: of(0xff) }],
    ].map((change) => ["the keys are not the network's", { keys: { ...KEYS, ...change } }] as const),
    ['another return delay', { returnDelay: 5 }],
    ['the bond is below 1000000 sat', { bond: { ...BOND, value: 999_999n } }],
    ['too few detectors, or too many', { detectors: [] }],
    ['too few detectors, or too many', { detectors: Array.from({ length: 17 }, (_, at) => other(DETECTOR, at)) }],
    ['a detector is dust', { detectors: [{ ...DETECTOR, value: 329n }] }],
    ['an outpoint comes twice', { detectors: [{ ...DETECTOR, outpoint: BOND.outpoint }] }],
    ['another forfeit', { forfeit: { ...TERMS.forfeit, value: 799_999n } }],
    ['the forfeit goes elsewhere', { forfeit: { ...TERMS.forfeit, script: SCRIPT } }],
    ['the return pays nothing, or no fee', { returned: { script: SCRIPT, value: 1_001_000n } }],
    ['the return pays nothing, or no fee', { returned: { script: SCRIPT, value: 329n } }],
    ['an odd script', { returned: { script: new Uint8Array(35).fill(1), value: 900_000n } }],
    ['an odd script', { returned: { script: RULES.forfeit.script, value: 900_000n } }],
  ]
  test.each(wrong)('with %s are refused', (fault, change) => {
    expect(findTermsFault({ ...TERMS, ...change }, RULES)).toBe(fault)
    const watcher = newWatcher(of(11))
    const [reply] = tell(watcher, open({ ...TERMS, ...change }))
    expect(reply).toMatchObject({ kind: 'refusal', reason: 'terms', detail: fault })
    expect(watcher).toMatchObject({ disk: [], state: { records: [], round: undefined } })
  })

  test('have a name that every field changes', () => {
    const names = [TERMS, ...wrong.map(([, change]) => ({ ...TERMS, ...change }))].map((terms) => toHex(setupId(terms)))
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('signing', () => {
  test('ends with every signature, on every disk', () => {
    const all = watchers()
    const { slashes, returned } = cosign(TERMS, all)
    expect(areCosigned(TERMS, 'slash', slashes)).toBe(true)
    expect(areCosigned(TERMS, 'return', returned === undefined ? [] : [returned])).toBe(true)
    for (const { disk } of all) expect(disk.at(-1)).toEqual({ terms: TERMS, slashes, returned })
  })

  test('of several detectors gives a slash for each', () => {
    const detectors = [DETECTOR, { ...DETECTOR, outpoint: { txid: of(0x50), vout: 0 } }]
    expect(cosign(termsFor(BOND, detectors, SCRIPT)).slashes.length).toBe(2)
  })

  test('a watcher signs no return before it holds the slash', () => {
    const watcher = newWatcher(of(11))
    const session = random().slice(0, 16)
    const message: LeaderMessage = { kind: 'open', session, stage: 'return', terms: TERMS, slashes: [] }
    for (const slashes of [[], [new Uint8Array(64)], [new Uint8Array(63)]]) {
      const [reply] = tell(watcher, { ...message, slashes })
      expect(reply).toMatchObject({ kind: 'refusal', reason: 'slash' })
    }
    expect(watcher.disk).toEqual([])
    const { slashes } = cosign(TERMS)
    const [reply] = tell(watcher, { ...message, slashes })
    expect(reply?.kind).toBe('nonces')
    expect(watcher.disk.at(-1)?.slashes).toEqual(slashes)
  })

  test('a watcher that agreed to a setup agrees to no other with one of its outputs, also after a restart', () => {
    const watcher = newWatcher(of(11))
    expect(tell(watcher, open(TERMS))[0]?.kind).toBe('nonces')
    const fresh = { txid: of(0x60), vout: 0 }
    const conflicts = [
      termsFor(BOND, [{ ...DETECTOR, outpoint: fresh }], SCRIPT),
      termsFor({ ...BOND, outpoint: fresh }, [DETECTOR], SCRIPT),
      termsFor({ ...BOND, outpoint: DETECTOR.outpoint }, [{ ...DETECTOR, outpoint: fresh }], SCRIPT),
      { ...TERMS, returned: { ...TERMS.returned, value: 5_000n } },
    ]
    watcher.state = { records: watcher.disk, round: undefined }
    for (const terms of conflicts)
      expect(tell(watcher, open(terms))[0]).toMatchObject({ kind: 'refusal', reason: 'conflict' })
    const unrelated = termsFor({ ...BOND, outpoint: fresh }, [{ ...DETECTOR, outpoint: { ...fresh, vout: 1 } }], SCRIPT)
    for (const terms of [TERMS, unrelated]) expect(tell(watcher, open(terms))[0]?.kind).toBe('nonces')
  })

  test('a stranger is asked for nothing', () => {
    expect(tell(newWatcher(of(99)), open(TERMS))[0]).toMatchObject({ kind: 'refusal', reason: 'terms' })
  })

  test('what is agreed to is written before anything is said', () => {
    const { effects } = stepCosigner(newWatcher(of(11)).parts, { records: [], round: undefined }, open(TERMS), random())
    expect(effects.map((effect) => effect.do)).toEqual(['persist', 'reply'])
    const first = openSession(LEADER, { record: newRecord(TERMS), session: undefined }, random())
    expect(first.effects.map((effect) => effect.do)).toEqual(['persist', 'send'])
  })

  test('nothing secret is written, and no nonce in a message is of use twice', () => {
    const all = watchers()
    cosign(TERMS, all)
    const text = JSON.stringify(all.map(({ disk }) => disk.map(printRecord)))
    for (const secret of [...SECRETS.watchers, SECRETS.sequencer]) expect(text).not.toContain(toHex(secret))
  })
})

describe('a session', () => {
  /** Watcher 0 has opened one, and has everybody's nonces. */
  function opened(watcher: Watcher, terms = TERMS) {
    const session = random().slice(0, 16)
    const replies = [watcher, ...watchers().slice(1)].map((each) => ({
      key: each.parts.key.publicKey,
      reply: tell(each, open(terms, session))[0],
    }))
    const lead = openSession(LEADER, { record: newRecord(terms), session: undefined }, random())
    const leads = lead.state.session?.nonces.find((each) => each !== undefined) ?? []
    const cosigners = lead.state.session?.round.cosigners ?? []
    const nonces = cosigners.map((cosigner) => {
      const found = replies.find(({ key }) => equalBytes(key, cosigner))?.reply
      return found?.kind === 'nonces' ? found.nonces : leads
    })
    const place = cosigners.findIndex((cosigner) => equalBytes(cosigner, watcher.parts.key.publicKey))
    return { session, nonces, place }
  }

  test('signs once', () => {
    const watcher = newWatcher(of(11))
    const { session, nonces } = opened(watcher)
    const before = watcher.state
    expect(tell(watcher, { kind: 'sign', session, nonces })[0]?.kind).toBe('partials')
    expect(tell(watcher, { kind: 'sign', session, nonces })[0]).toMatchObject({ kind: 'refusal', reason: 'session' })
    // Nor does the state before it, should somebody have kept that: its nonces are erased.
    watcher.state = before
    expect(() => tell(watcher, { kind: 'sign', session, nonces })).toThrow()
  })

  test('is over when another is opened, or the watcher starts again', () => {
    const watcher = newWatcher(of(11))
    const first = opened(watcher)
    const before = watcher.state
    opened(watcher)
    expect(tell(watcher, { kind: 'sign', ...first })[0]).toMatchObject({ kind: 'refusal', reason: 'session' })
    watcher.state = before
    expect(() => tell(watcher, { kind: 'sign', ...first })).toThrow()
    watcher.state = { records: watcher.disk, round: undefined }
    expect(tell(watcher, { kind: 'sign', ...first })[0]).toMatchObject({ kind: 'refusal', reason: 'session' })
  })

  test('takes no nonces but those of everybody, its own among them', () => {
    const watcher = newWatcher(of(11))
    const { session, nonces, place } = opened(watcher)
    const bad = [
      nonces.slice(1),
      [...nonces, nonces[0] ?? []],
      nonces.with(place, nonces[(place + 1) % 4] ?? []),
      nonces.with((place + 1) % 4, []),
      nonces.with((place + 1) % 4, [new Uint8Array(66)]),
      nonces.with((place + 1) % 4, [new Uint8Array(65).fill(2)]),
    ]
    for (const each of bad)
      expect(tell(watcher, { kind: 'sign', session, nonces: each })[0]).toMatchObject({ reason: 'nonces' })
    expect(tell(watcher, { kind: 'sign', session, nonces })[0]?.kind).toBe('partials')
  })
})

describe('the leader', () => {
  /** Everybody's answers until `spoil` changes one. @returns what the leader did last */
  function runUntilSpoilt(spoil: (message: CosignerMessage) => CosignerMessage | undefined): LeaderEffect[] {
    const all = watchers()
    let { state, effects } = openSession(LEADER, { record: newRecord(TERMS), session: undefined }, random())
    for (let sent = sendsOf(effects); sent.length > 0; ) {
      const replies = sent.flatMap((message) =>
        all.flatMap((watcher) => tell(watcher, message).map((reply) => ({ watcher, reply }))),
      )
      sent = []
      for (const { watcher, reply } of replies) {
        const spoilt = watcher === all[1] ? spoil(reply) : undefined
        const step = stepLeader(LEADER, state, watcher.parts.key.publicKey, spoilt ?? reply, random())
        state = step.state
        effects = step.effects
        if (spoilt !== undefined) return [...effects]
        sent.push(...sendsOf(effects))
      }
    }
    return [...effects]
  }
  const sendsOf = (effects: readonly LeaderEffect[]) =>
    effects.flatMap((each) => (each.do === 'send' ? [each.message] : []))
  const blamed = { do: 'blame', cosigner: publicKeyOf(of(12)) }

  test('names the one whose share is wrong', () => {
    const effects = runUntilSpoilt((message) =>
      message.kind === 'partials' ? { ...message, partials: [new Uint8Array(32).fill(1)] } : undefined,
    )
    expect(effects).toMatchObject([{ ...blamed, reason: expect.stringContaining('its share of a signature is wrong') }])
  })

  test('names the one whose nonces are malformed, or who refuses', () => {
    for (const nonces of [[], [new Uint8Array(66)], [new Uint8Array(66).fill(3), new Uint8Array(66).fill(3)]])
      expect(
        runUntilSpoilt((message) => (message.kind === 'nonces' ? { ...message, nonces } : undefined)),
      ).toMatchObject([blamed])
    const refusal = runUntilSpoilt(({ session }) => ({ kind: 'refusal', session, reason: 'terms', detail: 'no' }))
    expect(refusal).toMatchObject([{ ...blamed, reason: expect.stringContaining('terms: no') }])
  })

  test('heeds no stranger, and no session that is over', () => {
    const { state, effects } = openSession(LEADER, { record: newRecord(TERMS), session: undefined }, random())
    const [message] = sendsOf(effects)
    if (message === undefined) throw new Error('an opening')
    const [reply] = tell(newWatcher(of(11)), message)
    if (reply === undefined) throw new Error('a reply')
    for (const from of [publicKeyOf(of(99)), LEADER.publicKey])
      expect(stepLeader(LEADER, state, from, reply, random())).toEqual({ state, effects: [] })
    const old = { ...reply, session: new Uint8Array(16) }
    expect(stepLeader(LEADER, state, publicKeyOf(of(11)), old, random())).toEqual({ state, effects: [] })
  })

  test('with everything signed is ready at once', () => {
    const record = cosign(TERMS)
    expect(openSession(LEADER, { record, session: undefined }, random()).effects).toEqual([{ do: 'ready', record }])
  })
})

test('restarts of anybody, and messages that are lost, delay it and change nothing', () => {
  const event = fc.record({
    kind: fc.constantFrom('deliver', 'deliver', 'deliver', 'deliver', 'lose', 'restart watcher', 'restart leader'),
    at: fc.nat(2),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const world = new World()
      for (const { kind, at } of events) world.apply(kind, at)
      world.settle()
      const { slashes, returned } = world.disk
      expect(areCosigned(TERMS, 'slash', slashes)).toBe(true)
      expect(returned !== undefined && areCosigned(TERMS, 'return', [returned])).toBe(true)
      for (const { disk } of world.all) expect(disk.at(-1)?.slashes).toEqual(slashes)
    }),
    { numRuns: 10 },
  )
})

/** Messages wait in lines, one for each watcher; disks outlive what runs on them. */
class World {
  readonly all = watchers()
  disk: BondRecord = newRecord(TERMS)
  private state: LeaderState = { record: this.disk, session: undefined }
  private lines: LeaderMessage[][] = this.all.map(() => [])
  private ready = false

  constructor() {
    this.reopen()
  }

  apply(kind: string, at: number): void {
    const watcher = this.all[at] as Watcher
    if (kind === 'restart watcher') watcher.state = { records: watcher.disk.slice(-1), round: undefined }
    if (kind === 'lose') this.lines[at]?.shift()
    if (kind === 'restart leader') {
      this.state = { record: this.disk, session: undefined }
      this.lines = this.all.map(() => [])
      this.reopen()
    }
    if (kind === 'deliver') this.deliver(at)
  }

  /** From here on nothing is lost; a session that is stuck is opened anew, as by a timer. */
  settle(): void {
    for (let turn = 0; turn < 20 && !this.ready; turn++) {
      while (this.lines.some(({ length }) => length > 0)) for (const at of this.all.keys()) this.deliver(at)
      if (!this.ready) this.reopen()
    }
  }

  private deliver(at: number): void {
    const watcher = this.all[at] as Watcher
    const message = this.lines[at]?.shift()
    if (message === undefined) return
    for (const reply of tell(watcher, message)) {
      const step = stepLeader(LEADER, this.state, watcher.parts.key.publicKey, reply, random())
      this.absorb(step.state, step.effects)
    }
  }

  private reopen(): void {
    const { state, effects } = openSession(LEADER, this.state, random())
    this.absorb(state, effects)
  }

  private absorb(state: LeaderState, effects: readonly LeaderEffect[]): void {
    this.state = state
    for (const effect of effects) {
      if (effect.do === 'persist') this.disk = effect.record
      if (effect.do === 'send') for (const line of this.lines) line.push(effect.message)
      if (effect.do === 'ready') this.ready = true
    }
  }
}

function printRecord({ slashes, returned }: BondRecord): unknown {
  return [slashes.map(toHex), returned && toHex(returned)]
}
