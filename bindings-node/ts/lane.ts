/**
 * Where this thread counts the calls of one guard in place: words of the core's, for this thread alone.
 *
 * INVARIANT: each call that begins here is either healthy, which is counted here, or handed over: its end is told
 * to the core.
 */
import { memory } from './cells.js'

// The words, as `core/src/live/lanes.rs` numbers them.
const BEGUN = 0
const HEALTHY = 1
const HANDED_OVER = 2

export class Lane {
  /** Doubles, to which only this thread adds. */
  private readonly words: Float64Array

  constructor(buffer: ArrayBuffer) {
    this.words = new Float64Array(buffer)
  }

  /** A call begins. */
  begin(): void {
    this.words[BEGUN]!++
  }

  /** A call that began here has ended with the success of its only attempt. */
  succeed(): void {
    this.words[HEALTHY]!++
  }

  /** A call that began here ends in the core. */
  handOver(): void {
    this.words[HANDED_OVER]!++
  }
}

/** A lane of the guard of a handle; `undefined` where JavaScript cannot see it. */
export function laneOf(guard: number): Lane | undefined {
  const buffer = memory(guard)
  return buffer && new Lane(buffer)
}
