/** The opcodes of Kedge's leaves (BIP342), and no others: none branches (OP_IF), as Knots relays no leaf that does. */
export const OP = {
  PUSHDATA1: 0x4c,
  PUSHDATA2: 0x4d,
  NUMBER_1: 0x51,
  NUMBER_16: 0x60,
  DROP: 0x75,
  EQUAL: 0x87,
  EQUALVERIFY: 0x88,
  NUMEQUAL: 0x9c,
  SHA256: 0xa8,
  CHECKSIG: 0xac,
  CHECKSIGVERIFY: 0xad,
  CHECKSEQUENCEVERIFY: 0xb2,
  CHECKSIGADD: 0xba,
} as const
