import { toHex } from '@kedge/core'

/** Names on the wire. They carry the network, so that peers of different networks have nothing to say to each other. */
export interface ProtocolNames {
  /** A gossip topic. */
  readonly headers: string
  readonly data: string
  readonly submit: string
  readonly vault: string
  readonly bond: string
  readonly certify: string
  readonly ticks: string
  readonly newestTick: string
}

/** Enough of the network's 32 bytes to tell networks apart by eye; the handshake binds all of them. */
const PREFIX_BYTES = 8

export function protocolNames(network: Uint8Array): ProtocolNames {
  const root = `/kedge/${toHex(network.subarray(0, PREFIX_BYTES))}`
  return {
    headers: `${root}/headers/1`,
    data: `${root}/data/1`,
    submit: `${root}/submit/1`,
    vault: `${root}/vault/1`,
    bond: `${root}/bond/1`,
    certify: `${root}/certify/1`,
    ticks: `${root}/ticks/1`,
    newestTick: `${root}/newest-tick/1`,
  }
}
