/**
 * What a call is meant to cost, as ratios of figures of one run.
 *
 * | target | bound |
 * | --- | --- |
 * | our breaker, each kind of window | ≤ 1.3 × the try/await wrapper |
 * | our guard without timeouts | ≤ 1.6 × the wrapper |
 * | our guard with deadline and attempt timeout | ≤ 3.5 × the wrapper |
 * | cockatiel's breaker, the same kind of window | slower than ours |
 * | cockatiel's retry + breaker, the same kind of window | ≥ 2 × our guard without timeouts |
 * | cockatiel's retry + breaker + timeout | ≥ 30 × our guard with both timeouts |
 * | a rejection by cockatiel, by opossum | ≥ 3 × ours |
 *
 * What else has a peer is set beside it without a bound, as are two threads beside one. A target is met where the ratio of the medians
 * meets it; that of the minima stands beside. A target whose figures were not measured is left out.
 */
import { FLOOR, OPERATIONS, OWN } from './subject.mjs'
import { WRAPPER } from './subjects/floors.mjs'

const AT_MOST = '≤'
const BELOW = '<'
const AT_LEAST = '≥'

const HOLDS = {
  [AT_MOST]: (ratio, bound) => ratio <= bound,
  [BELOW]: (ratio, bound) => ratio < bound,
  [AT_LEAST]: (ratio, bound) => ratio >= bound,
}

/** The bounds by the wrapper, and those by the peers: how many times as much they take. */
const OURS = { breaker: 1.3, both: 1.6, timed: 3.5 }
const THEIRS = { both: 2, timed: 30 }

/** The targets that the rows of a run can answer: `{ ratio, bound, median, minimum, met }`. */
export function targets(rows) {
  const made = []
  const claim = (ratio, top, bottom, relation, bound) => {
    const [median, minimum] = ['median', 'minimum'].map(figure => top.time[figure] / bottom.time[figure])
    const met = relation === undefined ? null : HOLDS[relation](median, bound)
    made.push({ ratio, bound: relation === undefined ? null : `${relation} ${bound}`, median, minimum, met })
  }
  const of = (whose, operation) =>
    rows.filter(({ subject }) => subject.whose === whose && subject.operation === operation)
  const named = ({ subject }) => `${subject.whose}, ${subject.label}`

  const wrapper = of(FLOOR, 'floor').find(({ subject }) => subject.label === WRAPPER)
  for (const [operation, bound] of Object.entries(OURS)) {
    if (wrapper === undefined) break
    for (const row of of(OWN, operation)) {
      claim(`${OPERATIONS[operation]}: ${named(row)} / ${WRAPPER}`, row, wrapper, AT_MOST, bound)
    }
  }

  for (const peer of rows.filter(({ subject }) => subject.whose !== OWN && subject.whose !== FLOOR)) {
    const { operation, whose, window } = peer.subject
    // The first of ours of the same kind: the rows that follow are other forms of it.
    const own = of(OWN, operation).find(({ subject }) => subject.window === window)
    if (own === undefined) continue
    const done = OPERATIONS[operation]
    const bound = (...bounded) => claim(`${done}: ${named(peer)} / ${named(own)}`, peer, own, ...bounded)
    if (operation === 'rejection') bound(AT_LEAST, 3)
    else if (whose !== 'cockatiel') bound()
    else if (operation === 'breaker') claim(`${done}: ${named(own)} / ${named(peer)}`, own, peer, BELOW, 1)
    else if (operation in THEIRS) bound(AT_LEAST, THEIRS[operation])
    else bound()
  }

  const threads = of(OWN, 'threads')
  for (const row of threads.filter(({ subject }) => subject.threads > 1)) {
    const kind = row.subject.label.split(',')[0]
    const one = threads.find(({ subject }) => subject.threads === 1 && subject.label.startsWith(kind))
    if (one !== undefined) claim(`${OPERATIONS.threads}: ${named(row)} / 1 thread`, row, one)
  }
  return made
}
