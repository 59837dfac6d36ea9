/**
 * How often a property is tried: 300 times, or as often as the variable `OVERCURRENT_CASES` says. A
 * failure names its seed and path; `OVERCURRENT_SEED` tries that seed again.
 */
import fc from 'fast-check'

const { OVERCURRENT_CASES = '300', OVERCURRENT_SEED } = process.env

/** Tries a property. */
export function check(property) {
  const seed = OVERCURRENT_SEED === undefined ? {} : { seed: Number(OVERCURRENT_SEED) }
  return fc.assert(property, { numRuns: Number(OVERCURRENT_CASES), ...seed })
}
