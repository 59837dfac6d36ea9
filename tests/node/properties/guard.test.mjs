/**
 * Calls of one guard that settle, are aborted, run out of time and answer late, in any order, on a manual
 * clock and on JavaScript's: each ends as the model says and is counted so, the breaker stands where the model's
 * does, and no place of a probe is lost.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BreakerOpen, Guard, ManualClock, callInfo } from 'overcurrent'
import { callsOf, deferred, fakeTime, turn } from '../tools.mjs'
import { BreakerModel, ms } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { GuardModel, Tie } from './guard_model.mjs'
import { guardPolicies } from './policies.mjs'
import { BudgetModel } from './retry_model.mjs'

/** What a function comes to, and what `classify` says of it. */
const results = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ verdict: 'success', value: 'good' }) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'failure', value: 'bad' }) },
  { weight: 3, arbitrary: fc.constant({ verdict: 'failure', error: true }) },
  { weight: 1, arbitrary: fc.nat({ max: 50 }).map(hint => ({ verdict: 'failure', error: true, hint })) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'final', error: true }) },
  { weight: 1, arbitrary: fc.constant({ verdict: 'ignored', error: true }) },
)

const commands = fc.constantFrom('trip', 'reset', 'forceOpen', 'forceClosed', 'automatic')

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
    { weight: 5, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 90 }) }) },
    { weight: 1, arbitrary: fc.record({ do: commands }) },
  ),
  { maxLength: 40, size: 'max' },
)

/** The error of a result; what it means stands in it. */
class Failed extends Error {
  constructor(result) {
    super('failed')
    this.result = result
  }
}

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
  reason = new Error('the caller gave up')
  ended = undefined
  expected = undefined

  constructor(guard, { script, heeds }) {
    const fn = ({ attempt, signal }) => {
      const it = { ...deferred(), twin: this, settled: false }
      this.attempts.push(it)
      if (heeds) signal.addEventListener('abort', () => it.reject(signal.reason))
      const result = script[attempt - 1]
      if (result === null || result === undefined) return it.promise
      it.settled = true
      if (result.error) throw new Failed(result)
      return result.value
    }
    guard.call(fn, { signal: this.controller.signal }).then(
      value => (this.ended = { value }),
      error => (this.ended = { error }),
    )
  }

  /** What it counts as; `undefined` while it is under way. */
  get outcome() {
    const { ended, reason } = this
    if (ended === undefined) return undefined
    if ('value' in ended) return ended.value === 'good' ? 'success' : 'failure'
    const { error } = ended
    if (error === reason) return 'cancelled'
    if (error instanceof Failed) return error.result.verdict === 'ignored' ? 'ignored' : 'failure'
    return error.code === 'BREAKER_OPEN' ? 'rejected' : 'timeout'
  }

  /** Whether it made as many attempts and ended as the model says. */
  compare(seen) {
    const { attempts, ended, reason } = this
    const { state, attempts: made, end } = this.expected
    assert.equal(attempts.length, made)
    if (state !== 'over') return assert.equal(ended, undefined)
    const { rejected, stop } = end
    if (rejected === undefined) {
      assert.deepEqual(ended, { value: end.value })
      return seen.add(end.value)
    }
    const { error } = ended
    const info = callInfo(error)
    if (rejected === reason) {
      assert.deepEqual([error, info], [reason, undefined])
      return seen.add('caller')
    }
    if (rejected === true) assert.ok(error instanceof Failed)
    else assert.equal(error.code, rejected)
    if (rejected === 'BREAKER_OPEN') assert.deepEqual([error.reason, info], [end.reason, undefined])
    else assert.deepEqual(info, { attempts: made, elapsedMs: Number(end.elapsed) / 1e6, stop })
    if (rejected === 'DEADLINE_EXCEEDED') assert.equal(error.cause === undefined, end.cause === undefined)
    seen.add(error.code).add(stop)
  }
}

/** The two clocks: how a guard gets one, how it is moved on by so many ms, and what it reads in ns. */
const CLOCKS = {
  manual: () => () => {
    const clock = new ManualClock()
    return { clock, tick: by => clock.advance(by), now: () => clock.nowNs }
  },
  'JavaScript’s': t => {
    const tick = fakeTime(t)
    return () => {
      const began = performance.now()
      return { clock: undefined, tick, now: () => ms(performance.now() - began) }
    }
  },
}

for (const [name, set] of Object.entries(CLOCKS)) {
  test(`calls end as the model says, in any order of what happens to them; the clock is ${name}`, async t => {
    const make = set(t)
    const seen = new Set()
    await check(
      fc.asyncProperty(guardPolicies, steps, async (policy, steps) => {
        const world = new World(policy, make(), name === 'manual')
        try {
          for (const step of steps) {
            await world.step(step)
            world.compare(seen)
          }
        } catch (error) {
          if (!(error instanceof Tie)) throw error
          return
        }
        world.end()
      }),
    )
    for (const end of ENDS) assert.ok(seen.has(end), end)
  })
}

/** What calls come to, all of which must be seen. */
const ENDS = [
  ...['good', 'bad', 'caller', 'BREAKER_OPEN', 'ATTEMPT_TIMEOUT', 'DEADLINE_EXCEEDED'],
  ...['not_retryable', 'attempts_exhausted', 'hint_too_long', 'deadline', 'breaker_open', 'budget_exhausted'],
]

/** A guard and its model, side by side. */
class World {
  calls = []

  constructor(policy, { clock, tick, now }, manual) {
    this.tick = tick
    this.now = now
    this.guard = new Guard('g', { ...policy, clock, classify })
    const { retry } = policy
    this.breaker = policy.breaker === false ? undefined : new BreakerModel(withDefaults(policy), 0n)
    this.budget = retry === false || retry.budget === false ? undefined : new BudgetModel(retry.budget)
    this.model = new GuardModel(policy, this.breaker, this.budget, { manual })
  }

  async step(step) {
    const { guard, model, breaker } = this
    if (step.do === 'call') {
      const twin = new Twin(guard, step)
      twin.expected = model.begin(step.script)
      this.calls.push(twin)
    } else if (step.do === 'settle') {
      this.settle(step)
    } else if (step.do === 'abort') {
      const running = this.calls.filter(({ expected }) => expected.state !== 'over')
      if (running.length > 0) this.abort(running[step.call % running.length])
    } else if (step.do === 'advance') {
      this.tick(step.by)
      model.advance(ms(step.by))
    } else if (breaker !== undefined) {
      guard.breaker[step.do]()
      breaker[step.do](model.now)
    }
    await turn()
  }

  /** Any attempt settles, also one that was cut long ago. */
  settle({ attempt: chosen, result }) {
    const open = this.calls.flatMap(({ attempts }) => attempts).filter(({ settled }) => !settled)
    const attempt = open[chosen % open.length]
    if (attempt === undefined) return
    attempt.settled = true
    const { expected, attempts } = attempt.twin
    if (result.error) attempt.reject(new Failed(result))
    else attempt.resolve(result.value)
    if (expected.state === 'running' && attempts.at(-1) === attempt) this.model.settle(expected, result)
  }

  abort({ controller, reason, expected }) {
    controller.abort(reason)
    if (expected.state !== 'over') this.model.abort(expected, reason)
  }

  compare(seen) {
    const { guard, breaker, budget, model } = this
    for (const twin of this.calls) twin.compare(seen)
    this.count()
    assert.equal(this.now(), model.now)
    if (budget !== undefined) assert.equal(BigInt(guard.budget.tokensMicro), budget.tokens)
    if (breaker === undefined) return
    const { state, reason, late } = guard.breaker
    assert.deepEqual([state, reason, late], [breaker.position, breaker.reason, breaker.late])
  }

  /** Whether each call, and each attempt, is counted once. */
  count() {
    const { undefined: running = 0, ...ended } = tally(this.calls.map(({ outcome }) => outcome))
    const { calls, attempts, inFlight } = callsOf(this.guard)
    assert.deepEqual([calls, inFlight], [ended, running])
    const made = sum(this.calls.map(({ attempts }) => attempts.length))
    const under = this.calls.filter(({ expected }) => expected.state === 'running').length
    assert.equal(sum(Object.values(attempts)), made - under)
  }

  /** Once all have given up, the places of the probes are free again. */
  end() {
    for (const twin of this.calls) this.abort(twin)
    assert.equal(callsOf(this.guard).inFlight, 0)
    if (this.breaker === undefined) return
    for (let probe = 0; probe < 5; probe++) {
      assert.equal(refusal(this.guard.breaker), this.breaker.acquire(this.model.now).rejected)
    }
  }
}

const sum = numbers => numbers.reduce((sum, number) => sum + number, 0)

/** How many there are of each word. */
function tally(words) {
  const tally = {}
  for (const word of words) tally[word] = (tally[word] ?? 0) + 1
  return tally
}

/** What the breaker of a guard goes by, where the guard says it. */
function withDefaults({ breaker, attemptTimeout }) {
  const half = attemptTimeout === false ? undefined : attemptTimeout / 2
  return { ...breaker, abandonAfter: breaker.abandonAfter ?? breaker.slowCall ?? half }
}

/** Why the breaker admits no call; `undefined` where it does. */
function refusal(breaker) {
  try {
    breaker.acquire()
    return undefined
  } catch (error) {
    if (!(error instanceof BreakerOpen)) throw error
    return error.reason
  }
}
