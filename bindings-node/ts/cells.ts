/**
 * The core's words as JavaScript reads them in place, so that a healthy call does not cross over.
 *
 * INVARIANT: the low lane of the state word is read before its epoch. A transition between the two
 * then gives a pass of the later epoch to a call that the earlier one admitted, which at worst counts
 * one outcome more; the other way round it could count towards an epoch that had not begun.
 *
 * INVARIANT: only JavaScript writes the lane of quick successes. As long as one thread knows of the breaker, it
 * adds to that plainly; once there may be others, atomically, which costs a call.
 *
 * The words are read plainly, which is much cheaper than `Atomics.load`: what comes of an aligned lane is always
 * a value that somebody wrote, and no read stays open from one turn to the next. A processor that reads out of
 * order may pair a state with the epoch before it, whose outcomes come late, or after it, as above.
 */
import { native } from './native.js'

const { position: POSITION, epoch: EPOCH, consecutive: CONSECUTIVE, quick: QUICK } = native.lanes()

/** The bits of the lane of quick successes that are zero where it passes a multiple of 2³¹. */
const HALF = 2 ** 31 - 1

/** Whether this runtime lets JavaScript see native memory; set to 1, the variable says that it does not. */
const mapped = process.env['OVERCURRENT_NO_EXTERNAL_MEMORY'] !== '1'

/** The memory of a breaker, a budget or a lane of a guard; `undefined` where JavaScript cannot see it. It lives as long as the buffer. */
export function memory(handle: number): ArrayBuffer | undefined {
  return mapped ? native.words(handle) : undefined
}

/** The words of a breaker or a budget. */
export function view(handle: number): Uint32Array | undefined {
  const buffer = memory(handle)
  return buffer && new Uint32Array(buffer)
}

/** The words of a breaker. */
export class Cells {
  private readonly words: Uint32Array
  /** From how many ns on a call is slow. */
  private readonly slow: number
  /** Whether successes are counted: whether there is a window. */
  private readonly counts: boolean
  /** Whether no other thread can have found the breaker. */
  private alone = true
  /** The epoch and the end of the time in which a success may be added in place. */
  private epoch = -1
  private until = -Infinity

  constructor(words: Uint32Array, slow: number, counts: boolean) {
    this.words = words
    this.slow = slow
    this.counts = counts
  }

  /** The epoch of a call that passes, as the breaker is closed or forced closed; else −1. */
  enter(): number {
    const words = this.words
    return (words[POSITION]! & 3) === 0 ? words[EPOCH]! : -1
  }

  /** Counts a success in place, if there is something to count, where the window needs no care and nothing is to be cleared; else `false`. */
  succeed(epoch: number, took: number, now: number): boolean {
    if (epoch !== this.epoch || now >= this.until || took >= this.slow) return false
    const words = this.words
    if ((words[POSITION]! & 3) !== 0 || words[EPOCH] !== epoch || words[CONSECUTIVE] !== 0) return false
    if (this.counts) this.add(words)
    return true
  }

  private add(words: Uint32Array): void {
    if (this.alone) {
      const sum = words[QUICK]! + 1
      words[QUICK] = sum
      if ((sum & HALF) === 0) words[QUICK + 1]!++
    } else if (((Atomics.add(words, QUICK, 1) + 1) & HALF) === 0) {
      Atomics.add(words, QUICK + 1, 1)
    }
  }

  /** From now on other threads may add to the words too. */
  share(): void {
    this.alone = false
  }

  /** A success was recorded natively: `until` then, others of its epoch may be added in place. */
  allow(epoch: number, until: number): void {
    this.epoch = epoch
    this.until = until
  }
}
