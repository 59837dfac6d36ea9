/** Any operations on a breaker, in any order: it decides as the model does, step by step. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker, BreakerOpen, ManualClock } from 'overcurrent'
import { BreakerModel, ms } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { breakerPolicies } from './policies.mjs'

const OUTCOMES = ['success', 'failure', 'ignored', 'cancelled']

const outcome = fc.constantFrom('success', 'success', 'failure', 'failure', 'ignored', 'cancelled')
const took = fc.integer({ min: 0, max: 80 })

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant({ do: 'acquire' }) },
    // Of the permits that were granted so far, one counted from the last; also one that was used before.
    { weight: 4, arbitrary: fc.record({ do: outcome, permit: fc.integer({ min: 0, max: 5 }), took }) },
    // A call that is over at once.
    { weight: 8, arbitrary: fc.record({ do: fc.constant('acquire'), then: outcome, took }) },
    // In nanoseconds: whole milliseconds alone would not show how they are rounded up.
    { weight: 4, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 100_000_000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('trip'), time: fc.option(fc.integer({ min: 0, max: 99 })) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset', 'forceOpen', 'forceClosed', 'automatic') }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** All of which must be seen. */
const REASONS = ['consecutive_failures', 'failure_rate', 'slow_rate', 'probe_failed', 'probe_timeout', 'manual']
const STATES = ['closed', 'open', 'half_open', 'forced_open', 'forced_closed']

test('a breaker on a manual clock decides as the model does', () => {
  const seen = new Set()
  const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  check(
    fc.property(breakerPolicies({ jitter: true }), seeds, steps, (policy, seed, steps) => {
      const clock = new ManualClock()
      const breaker = new Breaker('b', { ...policy, clock, seed })
      const model = new BreakerModel(policy, seed)
      const permits = []
      const settle = (granted, outcome, took) => {
        granted?.permit?.[outcome](took)
        if (granted === undefined || granted.used) return
        granted.used = true
        model.record(granted.pass, outcome, ms(took), clock.nowNs)
      }
      for (const step of steps) {
        const now = clock.nowNs
        if (step.do === 'advance') {
          clock.advance(`${step.by}ns`)
        } else if (step.do === 'acquire') {
          const pass = model.acquire(now)
          const granted = { permit: admission(breaker, pass), pass, used: pass.rejected !== undefined }
          permits.push(granted)
          if (step.then !== undefined) settle(granted, step.then, step.took)
        } else if (OUTCOMES.includes(step.do)) {
          settle(permits.at(-1 - step.permit), step.do, step.took)
        } else if (step.do === 'trip') {
          breaker.trip(step.time ?? undefined)
          model.trip(now, step.time === null ? undefined : ms(step.time))
        } else {
          breaker[step.do]()
          model[step.do](now)
        }
        seen.add(breaker.state).add(breaker.reason)
        assert.ok(model.outstanding <= policy.probes)
        assert.deepEqual(look(breaker), expectation(model, clock.nowNs))
      }
    }),
  )
  for (const place of [...REASONS, ...STATES]) assert.ok(seen.has(place), place)
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
