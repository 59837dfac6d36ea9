/**
 * Where this thread counts the calls of one guard in place: words of the core's, for this thread alone.
 *
 * INVARIANT: each call that begins here is either healthy, which is counted here, or handed over: its end is told
 * to the core.
 */
import { memory } from './cells.js'

/** The words, as `core/src/live/lanes.rs` numbers them. */
export const enum Word {
  /** Calls that began here. */
  BEGUN = 0,
  /** Those that ended with the success of their only attempt. */
  HEALTHY = 1,
  /** Those that end in the core. */
  HANDED_OVER = 2,
}

/** Doubles, to which only this thread adds. */
export type Lane = Float64Array

/** A lane of the guard of a handle; `undefined` where JavaScript cannot see it. */
export function laneOf(guard: number): Lane | undefined {
  const buffer = memory(guard)
  return buffer && new Float64Array(buffer)
}
