export { buildAnchor } from './anchor.ts'
export { printHash } from './answer.ts'
export { checkBackend, findBackendFault, UnfitBackendError } from './backend.ts'
export { MalformedBlockError, readBlock, readTransaction } from './block.ts'
export {
  type ChainHeader,
  readBlockHash,
  readHeader,
  readRawBlock,
  readRawHeaders,
  readTip,
  type Tip,
  waitForNewBlock,
} from './chain.ts'
export { buildChallenge } from './challenge.ts'
export {
  applyUnconfirmed,
  type Coin,
  type Coins,
  dustLimit,
  NO_COINS,
  printOutpoint,
  scanBlock,
  spendableCoins,
} from './coins.ts'
export { buildDeposit } from './deposit.ts'
export {
  addressOf,
  type CoinKey,
  coinKey,
  isSignatureOf,
  type ParsedAddress,
  parseAddress,
  publicKeyOf,
  signHash,
  tweakSecret,
} from './keys.ts'
export type { BuiltLink, Link, LinkBudget, LinkPlan } from './link.ts'
export {
  estimateFeeRate,
  type MempoolEntry,
  readDepth,
  readMempool,
  readMempoolEntry,
  readSpending,
  readWaitingTransaction,
  type SendRefusal,
  type Sent,
  sendTransaction,
  testAccept,
} from './mempool.ts'
export { buildPayment } from './payment.ts'
export { buildCommit, buildReveal, MAX_PUBLICATION, type Publication } from './publish.ts'
export {
  batchRpc,
  callRpc,
  RPC_CODES,
  type Rpc,
  type RpcCall,
  RpcError,
  type RpcLogin,
  RpcUnreachableError,
  unlessCode,
} from './rpc.ts'
export { readScriptCoins } from './scan.ts'
export { buildTakeover } from './takeover.ts'
export {
  type Built,
  build,
  buildFunded,
  type Funding,
  InsufficientFundsError,
  keySpend,
  MAX_VSIZE,
  type Spend,
  type ToSign,
} from './transaction.ts'
export { buildRefund, buildVaultSpend, joinVaultSpend, vaultToSign } from './vault.ts'
