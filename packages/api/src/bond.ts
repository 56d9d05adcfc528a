import { z } from 'zod'
import { exactBytes, height, sats, txid, u32 } from './fields.ts'

/** A bond as Bitcoin shows it. B is output 0 of its transaction, the detector output 1. */
const bond = z
  .object({
    txid,
    /** Of B and of the detector. */
    sats,
    detectorSats: sats,
    fundedAt: height,
    /** What it takes to slash it, and since when everybody has it. Without it the bond does not count. */
    slash: z.object({ signature: exactBytes(64), height }).optional(),
    /** Heights of the anchors that it covers, while it has not ended. */
    covers: z.object({ from: height, to: height }).optional(),
    /** The first block that may return it. */
    returnableAt: height,
    end: z.object({ outcome: z.enum(['slashed', 'returned', 'frozen', 'released']), height, txid }).optional(),
  })
  .meta({ id: 'Bond' })

export type BondView = z.output<typeof bond>

/** Every bond of the network, the newest first. */
export const bonds = z
  .object({
    /** Whether the network asks for one. */
    asked: z.boolean(),
    /** Of the node's tip. */
    height,
    /** Whether a batch that is anchored in the next block is covered. */
    covered: z.boolean(),
    /** Blocks that it will still be, where the bonds stay as they are. */
    left: u32,
    bonds: z.array(bond),
  })
  .meta({ id: 'Bonds' })

export type Bonds = z.output<typeof bonds>
