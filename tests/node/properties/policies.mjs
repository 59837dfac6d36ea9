/**
 * Random policies, small enough for a few dozen steps to reach every state. All durations are
 * milliseconds, so that the models need not read any text.
 */
import fc from 'fast-check'

const maybe = arbitrary => fc.option(arbitrary, { nil: undefined })
const share = fc.constantFrom(0.1, 0.25, 1 / 3, 0.5, 0.75, 1)

const windows = fc.oneof(
  fc.record({ time: fc.integer({ min: 10, max: 300 }), buckets: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ calls: fc.integer({ min: 1, max: 8 }) }),
)

const defined = object => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

/** What opens: each of the tests alone, some of them, all of them, or what is there by default. */
const consecutive = fc.record({ consecutiveFailures: fc.integer({ min: 1, max: 5 }) })
const minimumCalls = fc.integer({ min: 1, max: 6 })
const slowCall = fc.integer({ min: 1, max: 40 })
const rate = fc.record({ window: windows, failureRate: share, minimumCalls })
const slow = fc.record({ window: windows, failureRate: share, minimumCalls, slowCall, slowRate: share })
const any = fc.record({
  window: maybe(windows),
  failureRate: maybe(share),
  minimumCalls: maybe(minimumCalls),
  slowCall: maybe(slowCall),
  slowRate: maybe(share),
  consecutiveFailures: maybe(fc.integer({ min: 1, max: 5 })),
})
const tests = fc.oneof(consecutive, rate, slow, any, fc.constant({}))

/** A valid breaker policy, with `cooldownJitter` or without. */
export function breakerPolicies({ jitter }) {
  const rest = fc.record({
    abandonAfter: maybe(fc.integer({ min: 1, max: 60 })),
    cooldown: fc.integer({ min: 1, max: 80 }),
    longer: fc.integer({ min: 0, max: 200 }),
    cooldownMultiplier: maybe(fc.constantFrom(1, 1.5, 2, 10)),
    cooldownJitter: jitter ? maybe(fc.constantFrom(0, 0.1, 1)) : fc.constant(0),
    closeAfter: fc.integer({ min: 1, max: 3 }),
    reopenAfter: fc.integer({ min: 1, max: 3 }),
    probes: fc.integer({ min: 1, max: 3 }),
    probeTimeout: fc.integer({ min: 1, max: 100 }),
  })
  return fc
    .tuple(tests, rest)
    .map(parts => Object.assign({}, ...parts))
    .map(({ longer, ...policy }) => {
      const { closeAfter, reopenAfter, window } = policy
      const fitting = {
        ...policy,
        cooldownMax: policy.cooldown + longer,
        probes: Math.min(policy.probes, closeAfter + reopenAfter - 1),
      }
      if (fitting.slowCall === undefined) delete fitting.slowRate
      if (window?.calls < fitting.minimumCalls) fitting.minimumCalls = window.calls
      return defined(fitting)
    })
}

const waits = fc.integer({ min: 0, max: 40 })
const backoffs = fc.oneof(
  fc.constant('none'),
  fc.record({ constant: fc.record({ delay: waits }) }),
  fc.record({ exponential: fc.record({ initial: waits, max: fc.integer({ min: 40, max: 100 }) }) }),
  fc.record({ linear: fc.record({ initial: waits, step: waits, max: fc.integer({ min: 40, max: 100 }) }) }),
  fc.record({ schedule: fc.record({ delays: fc.array(waits, { minLength: 1, maxLength: 3 }) }) }),
)

const budgets = fc.record({
  ratio: fc.constantFrom(0, 0.2, 1),
  minPerSecond: fc.constantFrom(0, 1, 50),
  burst: fc.integer({ min: 1, max: 4 }),
})

const retries = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  backoff: backoffs,
  jitter: fc.constant('none'),
  maxHint: fc.constantFrom(20, 60_000),
  budget: fc.oneof(fc.constant(false), budgets),
})

/** A valid guard policy that draws nothing. */
export const guardPolicies = fc
  .record({
    deadline: fc.oneof(fc.constant(false), fc.integer({ min: 1, max: 300 })),
    // Half of it is a whole number too: a cancelled call that ran so long counts as a failure.
    attemptTimeout: fc.oneof(
      fc.constant(false),
      fc.integer({ min: 1, max: 60 }).map(half => 2 * half),
    ),
    whenOpen: fc.constantFrom('fail', 'wait'),
    retry: fc.oneof({ weight: 1, arbitrary: fc.constant(false) }, { weight: 4, arbitrary: retries }),
    breaker: fc.oneof(
      { weight: 1, arbitrary: fc.constant(false) },
      { weight: 6, arbitrary: breakerPolicies({ jitter: false }) },
    ),
  })
  .map(drawn => {
    // Without a retry of its own a guard waits for the breaker with jitter.
    const policy = drawn.retry === false ? { ...drawn, whenOpen: 'fail' } : drawn
    const { breaker, attemptTimeout, deadline } = policy
    if (breaker === false) return policy
    // A probe must outlast a healthy call.
    const probeTimeout = Math.max(breaker.probeTimeout, attemptTimeout || deadline || 0)
    return { ...policy, breaker: { ...breaker, probeTimeout } }
  })
