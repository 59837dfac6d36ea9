/** This project's own rows, by the package as it is installed. */
import { createRequire } from 'node:module'
import { OWN, VALUE, answer, fail } from '../subject.mjs'

/** The project that the packed package is installed into. */
const INSTALLED = new URL('../../../target/installed-node/package.json', import.meta.url)

const load = () => createRequire(INSTALLED)('overcurrent')

function own(operation, window, label, make) {
  return { operation, whose: OWN, window, label, make: async () => make(load()) }
}

/** Without either timeout a probe needs one of its own. */
function untimed(breaker) {
  const probing = breaker && { ...breaker, probeTimeout: '30s' }
  return { deadline: false, attemptTimeout: false, breaker: probing }
}
const ROW = { consecutiveFailures: 5 }
const LAST = { window: { calls: 100 }, failureRate: 0.5 }

/** A breaker that is open for longer than any run. */
function opened(breaker) {
  breaker.trip('1h')
  return breaker
}

function breaker(window, label, policy) {
  return own('breaker', window, label, ({ Breaker }) => {
    const breaker = new Breaker('b', policy)
    return () => breaker.call(answer)
  })
}

function guarded(operation, window, label, policy, fn = answer, options = () => undefined) {
  return own(operation, window, label, ({ Guard }) => {
    const guard = new Guard('g', policy)
    const given = options()
    return () => guard.call(fn, given)
  })
}

const heeding = async ({ signal }) => (signal.aborted ? undefined : VALUE)

/** What is shared must outlive its token. */
const kept = []

/** One object of `kind`, called by so many threads at once. */
function threaded(kind, threads) {
  const label = `${kind.toLowerCase()}, every default, ${threads === 1 ? '1 thread' : `${threads} threads`}`
  return {
    ...own('threads', '', label, library => {
      const object = new library[kind]('shared')
      kept.push(object)
      return object.share()
    }),
    threads,
    join: async token => {
      const object = load()[kind].from(token)
      return () => object.call(answer)
    },
  }
}

export const owns = [
  breaker('consecutive', '5 failures in a row', ROW),
  breaker('calls', 'last 100 calls', LAST),
  breaker('time', 'every default: last 10 s', {}),
  own('breaker', 'time', 'wrapped, every default: last 10 s', ({ Breaker }) => new Breaker('b').wrap(answer)),

  own('retry', '', 'every default', ({ Retry }) => {
    const retry = new Retry()
    return () => retry.call(answer)
  }),
  own('retry', '', 'a guard without breaker and timeouts', ({ Guard }) => {
    const guard = new Guard('g', untimed(false))
    return () => guard.call(answer)
  }),

  guarded('both', 'consecutive', 'guard, 5 failures in a row', untimed(ROW)),
  guarded('both', 'calls', 'guard, last 100 calls', untimed(LAST)),
  guarded('both', 'time', 'guard, last 10 s', untimed({})),

  guarded('timed', 'consecutive', 'guard, 5 failures in a row', { breaker: ROW }),
  guarded('timed', 'time', 'guard, every default', {}),
  guarded('heeded', 'time', 'guard, every default', {}, heeding),
  guarded('called', 'time', 'guard, every default', {}, answer, () => ({ signal: new AbortController().signal })),

  own('failure', 'time', 'last 10 s, a rate of 1, one success in ten', ({ Breaker }) => {
    const breaker = new Breaker('b', { failureRate: 1 })
    let calls = 0
    return async () => {
      if (calls++ % 10 === 0) await breaker.call(answer)
      await breaker.call(fail)
    }
  }),

  own('rejection', '', 'breaker, every default', ({ Breaker }) => {
    const breaker = opened(new Breaker('b'))
    return () => breaker.call(answer)
  }),
  own('rejection', '', 'guard, every default', ({ Guard }) => {
    const guard = new Guard('g')
    opened(guard.breaker)
    return () => guard.call(answer)
  }),

  ...['Breaker', 'Guard'].flatMap(kind => [1, 2].map(threads => threaded(kind, threads))),
]
