/** A retry alone, and the budget. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Breaker,
  Budget,
  ManualClock,
  Retry,
  callInfo,
  constant,
  exponential,
  linear,
  proportional,
  schedule,
} from 'overcurrent'
import { rejection } from './tools.mjs'

const plain = (backoff, maxAttempts = 5) =>
  new Retry({ backoff, jitter: 'none', maxAttempts, clock: new ManualClock() })
const waits = retry => {
  const call = retry.start()
  const all = []
  for (;;) {
    const { wait, stop } = call.failed()
    if (stop !== undefined) return [...all, stop]
    all.push(wait)
  }
}

test('each backoff grows in its way', () => {
  const end = 'attempts_exhausted'
  assert.deepEqual(waits(plain('none')), [0, 0, 0, 0, end])
  assert.deepEqual(waits(plain(constant('5ms'))), [5, 5, 5, 5, end])
  assert.deepEqual(waits(plain(linear(5, { step: '4ms', max: '12ms' }))), [5, 9, 12, 12, end])
  assert.deepEqual(waits(plain(exponential('4ms', { max: '20ms' }))), [4, 8, 16, 20, end])
  assert.deepEqual(waits(plain(exponential('4ms', { multiplier: 1.5, max: '10ms' }))), [4, 6, 9, 10, end])
  assert.deepEqual(waits(plain(schedule('1ms', 2.5))), [1, 2.5, 2.5, 2.5, end])
})

test('a wait is given exactly too', () => {
  const decision = plain(constant('1.000000001s')).start().failed()
  assert.deepEqual(decision, { wait: 1000.000001, waitNs: 1_000_000_001n })
})

test('a seed makes the same draws', () => {
  const drawn = jitter => waits(new Retry({ jitter, seed: 9n, clock: new ManualClock() }))
  for (const jitter of ['full', 'equal', 'decorrelated', proportional(0.5)])
    assert.deepEqual(drawn(jitter), drawn(jitter))
  assert.notDeepEqual(drawn('full'), drawn('equal'))
  assert.notDeepEqual(waits(new Retry({ maxAttempts: 20 })), waits(new Retry({ maxAttempts: 20 })))
})

test('each reason to stop', () => {
  const clock = new ManualClock()
  const retry = new Retry({
    clock,
    backoff: constant('1s'),
    jitter: 'none',
    maxHint: '10s',
    budget: { ratio: 0, minPerSecond: 0, burst: 1 },
  })
  assert.equal(retry.start().failed({ retryable: false }).stop, 'not_retryable')
  assert.equal(retry.start().failed({ hint: '11s' }).stop, 'hint_too_long')
  assert.equal(retry.start({ deadline: '1s' }).failed().stop, 'deadline')
  assert.deepEqual(retry.start({ deadline: 1001 }).failed({ hint: null }), { wait: 1000, waitNs: 1_000_000_000n })
  assert.equal(retry.start().failed({ hint: '2s' }).stop, 'budget_exhausted')
  assert.equal(retry.budget.tokensMicro, 0)
})

test('a call is repeated until it succeeds', async () => {
  const clock = new ManualClock()
  const retry = new Retry({ clock, backoff: constant('1s'), jitter: 'none' })
  assert.equal(
    await retry.call(({ attempt }) => {
      if (attempt < 3) throw new Error()
      return attempt
    }),
    3,
  )
  assert.equal(clock.nowNs, 2_000_000_000n)
  const error = new Error()
  assert.equal(
    await rejection(
      retry.call(async () => {
        throw error
      }),
    ),
    error,
  )
  assert.deepEqual(callInfo(error), { attempts: 3, elapsedMs: 2000, stop: 'attempts_exhausted' })
  assert.equal(
    await rejection(
      retry.call(
        () => {
          throw error
        },
        { deadline: '1s' },
      ),
    ),
    error,
  )
  assert.deepEqual(callInfo(error), { attempts: 1, elapsedMs: 0, stop: 'deadline' })
  const double = retry.wrap(function (n) {
    return n * this.factor
  })
  assert.equal(await double.call({ factor: 2 }, 4), 8)
})

test('hooks say what a result means', async () => {
  const clock = new ManualClock()
  const classify = ({ value, error }) =>
    value === 503 ? { hint: '2s' } : error === 'final' ? { retryable: false } : undefined
  const retry = new Retry({ clock, backoff: constant('1s'), jitter: 'none', classify, on: TypeError })
  assert.equal(await retry.call(() => 503), 503)
  assert.equal(clock.nowNs, 4_000_000_000n)
  const attempts = async thrown => {
    let calls = 0
    await rejection(
      retry.call(() => {
        calls++
        throw thrown
      }),
    )
    return calls
  }
  assert.equal(await attempts('final'), 1)
  assert.equal(await attempts(new Error()), 1)
  assert.equal(await attempts(new TypeError()), 3)
})

test("another breaker's rejection is not retried", async () => {
  const breaker = new Breaker()
  breaker.forceOpen()
  let calls = 0
  const error = await rejection(
    new Retry().call(() => {
      calls++
      return breaker.call(() => 1)
    }),
  )
  assert.deepEqual([error.code, calls, callInfo(error).stop], ['BREAKER_OPEN', 1, undefined])
})

test('a budget holds what it may', () => {
  const clock = new ManualClock()
  const budget = new Budget({ clock, ratio: 0.5, minPerSecond: 0.5, burst: 2 })
  assert.equal(budget.tokensMicro, 2_000_000)
  assert.ok(budget.withdraw() && budget.withdraw())
  assert.equal(budget.withdraw(), false)
  budget.deposit()
  assert.equal(budget.tokensMicro, 500_000)
  clock.advance('1s')
  assert.equal(budget.withdraw(), true)
  assert.equal(budget.tokensMicro, 0)
})

test('a budget is shared by retries', () => {
  const budget = new Budget({ ratio: 0, minPerSecond: 0, burst: 1 })
  const [one, other] = [new Retry({ budget }), new Retry({ budget })]
  assert.equal(one.budget, budget)
  assert.equal(one.start().failed().stop, undefined)
  assert.equal(other.start().failed().stop, 'budget_exhausted')
  assert.equal(new Retry().budget, undefined)
  assert.equal(new Retry({ budget: true }).budget.tokensMicro, 10_000_000)
})

test('a manual clock moves as told', () => {
  const clock = new ManualClock()
  clock.advance('1.5s')
  clock.advance(0.25)
  assert.equal(clock.nowNs, 1_500_250_000n)
  clock.set('18446744073709551615ns')
  assert.equal(clock.nowNs, 2n ** 64n - 1n)
  clock.advance('1ns')
  assert.equal(clock.nowNs, 2n ** 64n - 1n)
  clock.set(0)
  assert.equal(clock.nowNs, 0n)
})

test('a call that succeeds at once makes its deposit, and nothing else of the core', async () => {
  const budget = new Budget({ burst: 2, ratio: 0.25, minPerSecond: 0 })
  while (budget.withdraw());
  const retry = new Retry({ backoff: 'none', maxAttempts: 2, budget })
  assert.equal(budget.tokensMicro, 0)
  assert.equal(await retry.call(({ attempt }) => attempt), 1)
  assert.equal(budget.tokensMicro, 250_000)
  // Three more deposits make the token that the last of them may take.
  for (let n = 0; n < 2; n++) await retry.call(() => n)
  assert.equal(await retry.call(({ attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : attempt)), 2)
  assert.equal(budget.tokensMicro, 0)
  // Half a second of a deadline is one too; what it is not is said in a rejection.
  assert.equal(await retry.call(() => 1, { deadline: '500ms' }), 1)
  assert.equal(budget.tokensMicro, 250_000)
  assert.equal((await rejection(retry.call(() => 1, { deadline: -1 }))).code, 'INVALID_POLICY')
})

test('values that fail are retried too, whatever the function returns them by', async () => {
  const retry = new Retry({
    backoff: 'none',
    maxAttempts: 3,
    clock: new ManualClock(),
    classify: ({ value }) => (value < 3 ? 'failure' : undefined),
  })
  const ways = { plain: n => n, promise: async n => n, thenable: n => ({ then: resolve => resolve(n) }) }
  for (const [name, way] of Object.entries(ways)) {
    const seen = []
    const last = await retry.call(({ attempt }) => way(seen.push(attempt) && attempt))
    assert.deepEqual([last, seen], [3, [1, 2, 3]], name)
  }
})
