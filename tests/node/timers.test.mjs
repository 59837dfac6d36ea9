/** Guards under the fake timers that people use: those of sinon (which jest and vitest use too) and of Node. */
import FakeTimers from '@sinonjs/fake-timers'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptTimeout, Guard, ManualClock, callInfo, constant } from 'overcurrent'
import { instant } from 'overcurrent/testing'
import { rejection, turn } from './tools.mjs'

const hourly = { maxAttempts: 2, backoff: constant('1h'), jitter: 'none' }

/** A function that fails once, then answers. */
function flaky() {
  let calls = 0
  return async () => {
    if (++calls === 1) throw new Error('failure')
    return calls
  }
}

/** Puts sinon's fakes in place of everything they know, but what the reports of this test are written by. */
function sinon(t) {
  const clock = FakeTimers.install({ toNotFake: ['nextTick'] })
  t.after(() => clock.uninstall())
  return clock
}

test('sinon: waits and attempt timeouts are theirs', async t => {
  const clock = sinon(t)
  const guard = new Guard('g', { deadline: false, attemptTimeout: '2s', retry: hourly })
  const failed = rejection(guard.call(() => new Promise(() => {})))
  await clock.tickAsync(2000)
  await clock.tickAsync(3_600_000)
  await clock.tickAsync(2000)
  const error = await failed
  assert.ok(error instanceof AttemptTimeout)
  assert.equal(callInfo(error).elapsedMs, 3_604_000)
})

test('sinon: a breaker cools down in their time', async t => {
  const clock = sinon(t)
  const guard = new Guard('g', { retry: false, breaker: { consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 } })
  await rejection(guard.call(() => Promise.reject(new Error())))
  clock.tick(4999)
  assert.equal(guard.breaker.retryAfterMs, 1)
  assert.equal((await rejection(guard.call(() => 1))).code, 'BREAKER_OPEN')
  clock.tick(1)
  assert.equal(await guard.call(() => 1), 1)
})

test('sinon: fakes may come and go around a guard', async t => {
  const guard = new Guard('g', { deadline: false, attemptTimeout: '2s', retry: false })
  assert.equal(await guard.call(async () => 1), 1)
  for (let round = 0; round < 2; round++) {
    const clock = sinon(t)
    const failed = rejection(guard.call(() => new Promise(() => {})))
    await clock.tickAsync(2000)
    assert.ok((await failed) instanceof AttemptTimeout)
    clock.uninstall()
    assert.equal(await guard.call(async () => 1), 1)
  }
})

test('sinon: `instant` and a manual clock need no tick', async t => {
  sinon(t)
  assert.equal(await instant(() => new Guard('g', { deadline: false, retry: hourly }).call(flaky())), 2)
  const clock = new ManualClock()
  const guard = new Guard('g', { deadline: false, attemptTimeout: '2s', retry: hourly, clock })
  assert.equal(await guard.call(flaky()), 2)
  assert.equal(clock.nowNs, 3_600_000_000_000n)
  const failed = rejection(guard.call(({ attempt }) => new Promise(() => attempt === 1 && clock.advance('2s'))))
  await Promise.resolve()
  clock.advance('2s')
  assert.ok((await failed) instanceof AttemptTimeout)
})

test('node:test: waits and attempt timeouts are theirs, though its clock runs on', async t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const guard = new Guard('g', { deadline: false, attemptTimeout: '2s', retry: hourly })
  const call = guard.call(({ attempt }) => (attempt === 1 ? new Promise(() => {}) : 'again'))
  t.mock.timers.tick(2000)
  await turn()
  t.mock.timers.tick(3_600_000)
  assert.equal(await call, 'again')
})
