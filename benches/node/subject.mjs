/**
 * One thing to measure: what is done, by whose code, under which policy.
 *
 * INVARIANT: `make` runs in the child that measures the subject and in no other; only there is the
 * package of a peer loaded. What it makes is called once per operation and answers `VALUE`, or rejects
 * every time if the subject is a rejection or a failure.
 */

/** What every function under a policy answers. */
export const VALUE = 42

/** What is done, in the order of the table. */
export const OPERATIONS = {
  floor: 'floor',
  breaker: 'breaker',
  retry: 'retry',
  both: 'retry + breaker',
  timed: 'with timeouts',
  heeded: 'with timeouts, signal read',
  called: "with timeouts, caller's signal",
  failure: 'recorded failure',
  rejection: 'rejection',
  threads: 'shared by threads',
}

/** Whose code it is. */
export const OWN = 'overcurrent'
export const FLOOR = 'floor'

/**
 * @typedef {object} Subject
 * @property {keyof typeof OPERATIONS} operation what is done
 * @property {string} whose `OWN`, `FLOOR` or the package of a peer
 * @property {string} window the kind of window, by which breakers are comparable; empty where that does not matter
 * @property {string} label the policy, and what else should be known
 * @property {() => Promise<unknown>} make makes what is called once per operation; for threads, what they share
 * @property {number} [threads] how many threads call it, if not the only one of its process
 * @property {(token: unknown) => Promise<() => Promise<unknown>>} [join] makes what a thread calls
 */

/** The functions that are called under the policies. */
export const answer = async () => VALUE
const shared = new Error('the dependency failed')
export const fail = async () => {
  throw shared
}

/** Whether every operation of a subject ends in an error. */
export function rejects({ operation, label }) {
  return ['rejection', 'failure'].includes(operation) || (operation === 'floor' && label.startsWith('throw'))
}

/** All its names in one line. */
export function title({ operation, whose, label }) {
  return `${OPERATIONS[operation]}: ${whose}, ${label}`
}
