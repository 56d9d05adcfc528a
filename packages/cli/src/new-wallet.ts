import { createClient } from '@kedge/api'
import { networkId, type Params, toHex } from '@kedge/core'
import type { CreatedWallet } from '@kedge/wallet'
import type { Command } from 'commander'
import { readParams } from './node-options.ts'
import { answer, columns } from './output.ts'
import type { WalletConfig } from './settings.ts'

/** The network a new wallet is for: as a file says, or as the node does. */
export async function networkParams({ node }: WalletConfig, file: string | undefined): Promise<Params> {
  return file === undefined ? (await createClient(node).params()).params : readParams(file)
}

export function printWallet(command: Command, file: string, { words, addresses }: CreatedWallet, params: Params): void {
  const network = toHex(networkId(params))
  answer(command, { file, network, chain: params.chain, words, addresses }, () => [
    ...columns([
      ['wallet', file],
      ['network', `${network} on ${params.chain}`],
      ['rollup', addresses.rollup],
      ['bitcoin', addresses.bitcoin],
      ['words', words],
    ]),
    '',
    'Write the words down: whoever has them has the money, and nothing else brings it back.',
  ])
}
