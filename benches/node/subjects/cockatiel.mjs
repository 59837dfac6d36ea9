/** Rows of cockatiel. */
import { VALUE, answer, fail } from '../subject.mjs'

const NAME = 'cockatiel'

function peer(operation, window, label, make) {
  return { operation, whose: NAME, window, label, make: async () => make(await import(NAME)) }
}

/** Each kind of breaker, with thresholds like those of the own rows. */
const KINDS = {
  consecutive: ({ ConsecutiveBreaker }) => new ConsecutiveBreaker(5),
  calls: ({ CountBreaker }) => new CountBreaker({ size: 100, threshold: 0.5 }),
  time: ({ SamplingBreaker }) => new SamplingBreaker({ duration: 10_000, threshold: 0.5, minimumRps: 2 }),
}
const LABELS = { consecutive: 'ConsecutiveBreaker(5)', calls: 'CountBreaker, 100', time: 'SamplingBreaker, 10 s' }

function circuit(library, window) {
  return library.circuitBreaker(library.handleAll, { breaker: KINDS[window](library), halfOpenAfter: 5_000 })
}

function retrying({ retry, handleAll, ExponentialBackoff }) {
  return retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() })
}

function breaker(window) {
  return peer('breaker', window, LABELS[window], library => {
    const policy = circuit(library, window)
    return () => policy.execute(answer)
  })
}

function both(window) {
  return peer('both', window, `wrap(retry, ${LABELS[window]})`, library => {
    const policy = library.wrap(retrying(library), circuit(library, window))
    return () => policy.execute(answer)
  })
}

function timed(operation, window, strategy, fn = answer, options = () => undefined) {
  return peer(operation, window, `wrap(retry, ${LABELS[window]}, timeout ${strategy})`, library => {
    const limit = library.timeout(10_000, library.TimeoutStrategy[strategy])
    const policy = library.wrap(retrying(library), circuit(library, window), limit)
    const given = options()
    return () => policy.execute(fn, given)
  })
}

const heeding = async ({ signal }) => (signal.aborted ? undefined : VALUE)

export const cockatiel = [
  breaker('consecutive'),
  breaker('calls'),
  breaker('time'),
  peer('retry', '', 'retry, exponential backoff', library => {
    const policy = retrying(library)
    return () => policy.execute(answer)
  }),
  both('consecutive'),
  both('calls'),
  both('time'),
  timed('timed', 'consecutive', 'Cooperative'),
  timed('timed', 'consecutive', 'Aggressive'),
  timed('timed', 'time', 'Cooperative'),
  timed('heeded', 'time', 'Cooperative', heeding),
  timed('called', 'time', 'Cooperative', answer, () => new AbortController().signal),
  peer('failure', 'time', 'SamplingBreaker, 10 s, one success in ten', library => {
    const { SamplingBreaker, circuitBreaker, handleAll } = library
    const sampling = new SamplingBreaker({ duration: 10_000, threshold: 0.99, minimumRps: 2 })
    const policy = circuitBreaker(handleAll, { breaker: sampling, halfOpenAfter: 5_000 })
    let calls = 0
    return async () => {
      if (calls++ % 10 === 0) await policy.execute(answer)
      await policy.execute(fail)
    }
  }),
  peer('rejection', '', 'ConsecutiveBreaker(1)', async library => {
    const { ConsecutiveBreaker, circuitBreaker, handleAll } = library
    const policy = circuitBreaker(handleAll, { breaker: new ConsecutiveBreaker(1), halfOpenAfter: 3_600_000 })
    await policy.execute(fail).catch(() => {})
    return () => policy.execute(answer)
  }),
]
