/** Any operations on a breaker, in any order: it decides as the model does, step by step. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker, BreakerOpen, ManualClock } from 'overcurrent'
import { BreakerModel, ms } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { breakerPolicies } from './policies.mjs'

const OUTCOMES = ['success', 'failure', 'ignored', 'cancelled']

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ do: 'acquire' }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('success', 'failure', 'failure', 'ignored', 'cancelled'),
        // Which of the permits that were granted so far, counted from the last; also one used before.
        permit: fc.integer({ min: 0, max: 5 }),
        took: fc.integer({ min: 0, max: 80 }),
      }),
    },
    // In nanoseconds: whole milliseconds alone would not show how they are rounded up.
    { weight: 5, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 150_000_000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('trip'), time: fc.option(fc.integer({ min: 0, max: 99 })) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset', 'forceOpen', 'forceClosed', 'automatic') }) },
  ),
  { maxLength: 60, size: 'max' },
)

test('a breaker on a manual clock decides as the model does', () => {
  const seen = new Set()
  check(
    fc.property(breakerPolicies({ jitter: true }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), steps, (policy, seed, steps) => {
      const clock = new ManualClock()
      const breaker = new Breaker('b', { ...policy, clock, seed })
      const model = new BreakerModel(policy, seed)
      const permits = []
      for (const step of steps) {
        const now = clock.nowNs
        if (step.do === 'advance') {
          clock.advance(`${step.by}ns`)
        } else if (step.do === 'acquire') {
          const expected = model.acquire(now)
          permits.push({ permit: admission(breaker, expected), pass: expected, used: expected.rejected !== undefined })
        } else if (OUTCOMES.includes(step.do)) {
          const chosen = permits.at(-1 - step.permit)
          chosen?.permit?.[step.do](step.took)
          if (chosen !== undefined && !chosen.used) model.record(chosen.pass, step.do, ms(step.took), now)
          if (chosen !== undefined) chosen.used = true
        } else if (step.do === 'trip') {
          breaker.trip(step.time ?? undefined)
          model.trip(now, step.time === null ? undefined : ms(step.time))
        } else {
          breaker[step.do]()
          model[step.do](now)
        }
        seen.add(breaker.state).add(breaker.reason)
        assert.ok(model.outstanding <= (policy.probes ?? 1))
        assert.deepEqual(look(breaker), expectation(model, clock.nowNs))
      }
    }),
  )
  // It went everywhere.
  for (const reason of ['consecutive_failures', 'failure_rate', 'slow_rate', 'probe_failed', 'probe_timeout', 'manual']) {
    assert.ok(seen.has(reason), reason)
  }
  for (const state of ['closed', 'open', 'half_open', 'forced_open', 'forced_closed']) assert.ok(seen.has(state), state)
})

function admission(breaker, expected) {
  try {
    const permit = breaker.acquire()
    assert.equal(expected.rejected, undefined)
    return permit
  } catch (error) {
    if (!(error instanceof BreakerOpen)) throw error
    assert.deepEqual([error.reason, nanos(error.retryAfterMs)], [expected.rejected, expected.after])
    return undefined
  }
}

const nanos = millis => (millis === undefined ? undefined : BigInt(Math.round(millis * 1e6)))

function look({ state, reason, late, retryAfterMs }) {
  return { state, reason, late, left: nanos(retryAfterMs) }
}

function expectation(model, now) {
  return { state: model.position, reason: model.reason, late: model.late, left: model.remaining(now) }
}
