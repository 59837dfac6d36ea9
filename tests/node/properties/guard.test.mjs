/**
 * Calls of one guard that settle, are aborted, run out of time and answer late, in any order: each ends
 * as the model says, the breaker stands where the model's does, and no place of a probe is lost.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BreakerOpen, Guard, ManualClock, callInfo } from 'overcurrent'
import { deferred, turn } from '../tools.mjs'
import { BreakerModel } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { GuardModel } from './guard_model.mjs'
import { guardPolicies } from './policies.mjs'
import { BudgetModel } from './retry_model.mjs'

/** What a function comes to, and what `classify` says of it. */
const results = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ verdict: 'success', value: 'good' }) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'failure', value: 'bad' }) },
  { weight: 3, arbitrary: fc.constant({ verdict: 'failure', error: true }) },
  { weight: 1, arbitrary: fc.record({ verdict: fc.constant('failure'), error: fc.constant(true), hint: fc.integer({ min: 0, max: 50 }) }) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'final', error: true }) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'ignored', error: true }) },
)

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('call'),
        // What its attempts do at once; the others are settled later, or never.
        script: fc.array(fc.option(results), { maxLength: 4 }),
        heeds: fc.boolean(),
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('settle'), attempt: fc.nat({ max: 9 }), result: results }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('abort'), call: fc.nat({ max: 9 }) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 90_000_000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('trip', 'reset', 'forceOpen', 'forceClosed', 'automatic') }) },
  ),
  { maxLength: 40, size: 'max' },
)

/** The error of a result; what it means stands in it. */
class Failed extends Error {}

function classify({ value, error }) {
  if (value !== undefined) return value === 'bad' ? 'failure' : 'success'
  if (!(error instanceof Failed)) return undefined
  const { verdict, hint } = error.result
  if (verdict === 'final') return { retryable: false }
  return hint === undefined ? verdict : { hint }
}

/** A call, beside what the model makes of it. */
class Twin {
  attempts = []
  controller = new AbortController()
  ended = undefined

  constructor(guard, script, heeds) {
    const fn = ({ attempt, signal }) => {
      const it = { ...deferred(), attempt, twin: this }
      this.attempts.push(it)
      if (heeds) signal.addEventListener('abort', () => it.reject(signal.reason))
      const now = script[attempt - 1]
      if (now == null) return it.promise
      it.settled = true
      return came(now)
    }
    this.reason = new Error('the caller gave up')
    this.run = () => {
      guard.call(fn, { signal: this.controller.signal }).then(
        value => (this.ended = { value }),
        error => (this.ended = { error }),
      )
    }
  }
}

/** Returns or throws what a result says. */
function came(result) {
  if (result.error === undefined) return result.value
  throw Object.assign(new Failed(), { result })
}

test('calls end as the model says, in any order of what happens to them', async () => {
  const seen = new Set()
  await check(
    fc.asyncProperty(guardPolicies, steps, async (policy, steps) => {
      const clock = new ManualClock()
      const guard = new Guard('g', { ...policy, clock, classify })
      const breaker = policy.breaker === false ? undefined : new BreakerModel(withDefaults(policy), 0n)
      const budget = policy.retry === false || policy.retry.budget === false ? undefined : new BudgetModel(policy.retry.budget)
      const model = new GuardModel(policy, breaker, budget)
      const calls = []
      for (const step of steps) {
        const running = calls.filter(({ expected }) => expected.state !== 'over')
        if (step.do === 'call') {
          const twin = new Twin(guard, step.script, step.heeds)
          calls.push(twin)
          twin.run()
          twin.expected = model.begin(step.script)
        } else if (step.do === 'settle') {
          // Any attempt, also one that was cut long ago.
          const open = calls.flatMap(({ attempts }) => attempts).filter(({ settled }) => !settled)
          const attempt = open[step.attempt % open.length]
          if (attempt === undefined) continue
          attempt.settled = true
          const { expected, attempts } = attempt.twin
          if (step.result.error) attempt.reject(Object.assign(new Failed(), { result: step.result }))
          else attempt.resolve(step.result.value)
          if (expected.state === 'running' && attempts.at(-1) === attempt) model.settle(expected, step.result)
        } else if (step.do === 'abort') {
          const twin = running[step.call % running.length]
          if (twin === undefined) continue
          twin.controller.abort(twin.reason)
          model.abort(twin.expected, twin.reason)
        } else if (step.do === 'advance') {
          clock.advance(`${step.by}ns`)
          model.advance(BigInt(step.by))
        } else if (breaker !== undefined) {
          guard.breaker[step.do]()
          breaker[step.do](model.now)
        }
        await turn()
        for (const twin of calls) same(twin, seen)
        assert.equal(clock.nowNs, model.now)
        if (budget !== undefined) assert.equal(BigInt(guard.budget.tokensMicro), budget.tokens)
        if (breaker !== undefined)
          assert.deepEqual([guard.breaker.state, guard.breaker.reason, guard.breaker.late], [breaker.position, breaker.reason, breaker.late])
      }
      // Once all have given up, the places of the probes are free again.
      for (const { controller, expected, reason } of calls) {
        controller.abort(reason)
        if (expected.state !== 'over') model.abort(expected, reason)
      }
      if (breaker !== undefined) {
        for (let probe = 0; probe <= breaker.outstanding + 3; probe++) {
          assert.equal(admitted(guard.breaker), breaker.acquire(model.now).rejected)
        }
      }
    }),
  )
  for (const end of ['good', 'bad', 'BREAKER_OPEN', 'ATTEMPT_TIMEOUT', 'DEADLINE_EXCEEDED', 'not_retryable']) assert.ok(seen.has(end), end)
  for (const stop of ['attempts_exhausted', 'hint_too_long', 'deadline', 'breaker_open', 'budget_exhausted']) assert.ok(seen.has(stop), stop)
})

/** What the breaker of a guard goes by, where the guard says it. */
function withDefaults({ breaker, attemptTimeout }) {
  const abandonAfter = breaker.abandonAfter ?? breaker.slowCall ?? (attemptTimeout === false ? undefined : attemptTimeout / 2)
  return { ...breaker, abandonAfter }
}

/** Whether a call made as many attempts and ended as the model says. */
function same({ attempts, expected, ended }, seen) {
  assert.equal(attempts.length, expected.attempts)
  if (expected.state !== 'over') return assert.equal(ended, undefined)
  const { value, rejected, reason, cause, stop, attempts: made, elapsed } = expected.end
  if (rejected === undefined) {
    assert.deepEqual(ended, { value })
    seen.add(value)
    return
  }
  const { error } = ended
  const info = callInfo(error)
  if (rejected === 'BREAKER_OPEN') {
    assert.deepEqual([error.code, error.reason, info], [rejected, reason, undefined])
  } else if (rejected instanceof Error) {
    assert.deepEqual([error, info], [rejected, undefined])
  } else {
    if (rejected === true) assert.ok(error instanceof Failed)
    else assert.equal(error.code, rejected)
    if (rejected === 'DEADLINE_EXCEEDED') assert.equal(cause === undefined, error.cause === undefined)
    assert.deepEqual(info, { attempts: made, elapsedMs: Number(elapsed) / 1e6, stop })
  }
  seen.add(error.code).add(stop)
}

function admitted(breaker) {
  try {
    breaker.acquire()
    return undefined
  } catch (error) {
    if (!(error instanceof BreakerOpen)) throw error
    return error.reason
  }
}
