import type { ChainEvent } from '../src/events.ts'

/** An event in one line, for tests that compare what happened and for people who read the vectors. */
export function say(event: ChainEvent): string {
  switch (event.kind) {
    case 'link':
      return `link ${event.number}: ${event.outcome}${'reason' in event ? `, ${event.reason}` : ''}`
    case 'void':
      return `void ${event.number}: ${event.cause}${event.fault === undefined ? '' : `, ${event.fault}`}`
    case 'challenged':
      return `challenged ${event.number}: ${event.data} by ${event.deadline}`
    case 'part':
      return `part of ${event.number}: ${event.data} ${event.part.start} + ${event.part.count}`
    case 'answered':
      return `answered ${event.number}: ${event.data}`
    case 'ignored':
      return `ignored ${event.message}: ${event.reason}`
    case 'expired':
      return `expired: nothing lived since ${event.since}`
    case 'exit':
      return 'exit'
    case 'forced': {
      const { position, operation } = event.entry
      return `forced ${operation.kind} of cell ${operation.from} at ${position.height}/${position.tx}`
    }
    case 'vault': {
      const swept = event.swept === 0 ? '' : `, ${event.swept} swept`
      return `vault ${event.number}: ${event.outcome}${swept}${event.claims.length === 0 ? '' : `, pays ${event.claims.join(' ')}`}`
    }
    case 'bond':
      return `bond ${event.outcome}`
    case 'final':
      return `final ${event.number}`
  }
}
