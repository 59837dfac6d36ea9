/** All subjects, in the order of the table. */
import { OPERATIONS } from './subject.mjs'
import { cockatiel } from './subjects/cockatiel.mjs'
import { floors } from './subjects/floors.mjs'
import { opossum } from './subjects/opossum.mjs'
import { owns } from './subjects/own.mjs'
import { retries } from './subjects/retries.mjs'

const order = Object.keys(OPERATIONS)

/** Every subject; the own ones of an operation before the peers. */
export const subjects = [...floors, ...owns, ...cockatiel, ...opossum, ...retries].sort(
  (one, other) => order.indexOf(one.operation) - order.indexOf(other.operation),
)

/** The packages they are compared with. */
export const PEERS = ['cockatiel', 'opossum', 'p-retry', 'async-retry', 'exponential-backoff']
