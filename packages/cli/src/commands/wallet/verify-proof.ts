import { printHash } from '@kedge/bitcoin'
import {
  BLOCK_HEADER_BYTES,
  type Checkpoint,
  fromHex,
  hashTwice,
  isHex,
  type PaymentDocument,
  reverseBytes,
} from '@kedge/core'
import { checkPayment, findKnownBlock, openProof, type ProvenPayment, WalletError } from '@kedge/wallet'
import { type Command, InvalidArgumentError } from 'commander'
import { ConfigError } from '../../config-error.ts'
import { readDocumentFile } from '../../document-file.ts'
import { readParams } from '../../node-options.ts'
import { configOf, type Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { printVerdict, transferRows } from '../../proven.ts'
import { proofSettings, rpcAt } from '../../settings.ts'
import { walletSubcommand } from '../../wallet-command.ts'

export function verifyProofCommand(environment: Environment): Command {
  const text = {
    description: 'check a payment proof without a node of Kedge; exit status 1 if it proves nothing',
    examples: [
      'verify-proof rent.proof --params params.json --checkpoint 840123:0000…5d',
      'verify-proof rent.json --config verify.toml --json',
    ],
  }
  const command = walletSubcommand('verify-proof', text, proofSettings)
  return command
    .argument('<FILE>', 'as proof has kept it')
    .option('--checkpoint <HEIGHT:HASH>', 'a block of the file that you know to be in Bitcoin’s best chain', parseBlock)
    .action(async (file: string, { checkpoint }: { checkpoint?: Checkpoint }) => {
      const config = configOf(command, proofSettings, environment)
      const params = readParams(config.params)
      const document = openProof(params, readDocumentFile(file))
      const url = config['bitcoin.url']
      const known =
        checkpoint !== undefined
          ? { checkpoint, blockHeaders: document.blockHeaders }
          : url === undefined
            ? noCheckpoint(document)
            : await findKnownBlock(rpcAt(url, config), document.blockHeaders)
      if (known === undefined) throw noBlock()
      const { blockHeaders } = known
      const proven = checkPayment(params, { ...document, blockHeaders }, known.checkpoint)
      answer(command, view(proven), () => print(proven))
    })
}

function noCheckpoint({ blockHeaders }: PaymentDocument): never {
  const newest = printHash(hashTwice(blockHeaders.slice(-BLOCK_HEADER_BYTES)))
  throw new ConfigError(
    `Whether the blocks of the file are Bitcoin's, only somebody says whom you trust: name a bitcoind by --bitcoin-url, or one of these blocks by --checkpoint HEIGHT:HASH. The newest is ${newest}.`,
  )
}

function noBlock(): WalletError {
  return new WalletError('The payment proof proves nothing: bitcoind has none of its blocks in the best chain.', {
    code: 'not-proven',
    details: { reason: 'none of its blocks is in the best chain' },
  })
}

/** Hashes of Bitcoin are shown as its explorers do. */
function view({ payment, block, reservations }: ProvenPayment) {
  const { id, transfer, header, headerHash, index, anchor, isSecondLink } = payment
  return {
    ...{ ok: true, id, transfer, batch: header.number, index, headerHash, isSecondLink },
    anchor: { txid: printHash(anchor.txid), index: anchor.index },
    block: { ...block, hash: printHash(block.hash) },
    reservations,
  }
}

function print({ payment, block, reservations }: ProvenPayment): string[] {
  const { id, transfer, header, index, anchor } = payment
  const depth = `${block.depth} ${block.depth === 1 ? 'block' : 'blocks'}`
  const facts = [
    ...transferRows(id, transfer),
    ['place', `operation ${index} of batch ${header.number}`] as const,
    ['anchor', `${printHash(anchor.txid)}, transaction ${anchor.index} of its block`] as const,
    ['block', `${printHash(block.hash)} at height ${block.height}`] as const,
    ['work', `${block.work} hashes in ${depth}`] as const,
  ]
  return [...columns(facts), ...printVerdict(`It is anchored, ${depth} deep.`, reservations)]
}

function parseBlock(text: string): Checkpoint {
  const match = /^([0-9]{1,9}):([0-9a-f]{64})$/.exec(text)
  const [, height = '', hash = ''] = match ?? []
  if (!isHex(hash, 32)) throw new InvalidArgumentError('It must be a height and a block hash, such as 840123:0000…5d.')
  return { height: Number(height), hash: reverseBytes(fromHex(hash)) }
}
