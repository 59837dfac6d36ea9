/** What the slices of a subject came to: the median and the minimum of the time per call. */

/** A slice that lost a larger share of its time to other processes is disturbed. */
const TOLERATED = 0.05
/** Fewer slices than this say nothing. */
const ENOUGH = 5

/**
 * The figures of slices `{ nanos, lost }`. Disturbed ones are left out; where too few would be left,
 * the least disturbed are taken, and the figures are `doubtful`.
 */
export function figures(slices) {
  const sorted = [...slices].sort((one, other) => one.lost - other.lost)
  const calm = sorted.filter(({ lost }) => lost <= TOLERATED).length
  const taken = sorted.slice(0, Math.max(calm, ENOUGH)).map(({ nanos }) => nanos)
  taken.sort((one, other) => one - other)
  const middle = taken.length >> 1
  const median = taken.length % 2 === 1 ? taken[middle] : (taken[middle - 1] + taken[middle]) / 2
  return {
    median,
    minimum: taken[0],
    slices: slices.length,
    disturbed: slices.length - calm,
    doubtful: calm < Math.min(ENOUGH, slices.length),
  }
}
