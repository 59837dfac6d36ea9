/** What stands and what happened, in the core's words: whose words they are is tested there, here that they are about this. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptTimeout, Breaker, DeadlineExceeded, Guard, ManualClock, callInfo, explain } from 'overcurrent'
import { fakeTime, rejection } from './tools.mjs'

const fail = () => {
  throw new Error('a secret')
}

/** A guard on a manual clock; its calls fail as soon as they are made. */
function made(options) {
  const clock = new ManualClock()
  return { clock, guard: new Guard('payments', { clock, seed: 1, ...options }) }
}

test('a breaker says where it stands, why, and what would change that', async () => {
  const { clock, guard } = made({ retry: false, breaker: { consecutiveFailures: 2, cooldown: '5s', cooldownJitter: 0 } })
  const closed = 'breaker `payments`: closed; opens at 2 failures in a row'
  assert.equal(guard.breaker.explain(), closed)
  assert.equal(guard.explain(), `guard \`payments\`: 0 calls, of which 0 in flight\n${closed}`)
  await rejection(guard.call(fail))
  await rejection(guard.call(fail))
  clock.advance('1800ms')
  const open = [
    'breaker `payments`: open for 3.2 s more: 2 calls failed in a row; then a probe decides',
    '  1.8 s ago: closed to open, consecutive_failures',
  ]
  assert.equal(guard.breaker.explain(), open.join('\n'))
  const calls = ['guard `payments`: 2 calls, of which 0 in flight: 2 failure', '  2 calls not retried: 2 attempts_exhausted']
  assert.equal(guard.explain(), [...calls, ...open].join('\n'))
  const alone = new Breaker('alone')
  assert.match(alone.explain(), /^breaker `alone`: closed; opens when 50 % of at least 20 calls in 10 s fail/)
})

test('how long a breaker stays open is told by JavaScript’s clock too', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('payments', { retry: false, breaker: { consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 } })
  await rejection(guard.call(fail))
  tick(1800)
  for (const it of [guard, guard.breaker]) {
    assert.match(it.explain(), /open for 3\.2 s more: /)
    tick(1000)
    assert.match(it.explain(), /open for 2\.2 s more: /)
    tick(-1000)
  }
})

test('an error says what became of the call and why it was not tried again', async () => {
  const backoff = { constant: { delay: '100ms' } }
  const { clock, guard } = made({
    deadline: '1s',
    attemptTimeout: '400ms',
    retry: { maxAttempts: 2, backoff, jitter: 'none' },
    breaker: { consecutiveFailures: 100, cooldown: '5s' },
  })
  const own = await rejection(guard.call(fail))
  assert.equal(explain(own), 'failed in 2 attempts within 100 ms, not tried again: no more attempts are allowed')
  assert.equal(own.message, 'a secret')

  const cut = await rejection(guard.call(() => clock.advance('400ms')))
  assert.ok(cut instanceof AttemptTimeout)
  assert.deepEqual([cut.guard, cut.attempt, cut.timeoutMs], ['payments', 2, 400])
  assert.equal(explain(cut), 'attempt 2 of `payments` was cut after 400 ms, not tried again: no more attempts are allowed')

  const slow = made({ deadline: '500ms', attemptTimeout: false, retry: false, breaker: false })
  const late = await rejection(slow.guard.call(() => slow.clock.advance('2s')))
  assert.ok(late instanceof DeadlineExceeded)
  assert.deepEqual([late.guard, late.attempts, late.deadlineMs], ['payments', 1, 500])
  assert.equal(explain(late), 'the call of `payments` had 500 ms and used them up, in 1 attempt')

  guard.breaker.trip('3s')
  const rejected = await rejection(guard.call(fail))
  assert.equal(explain(rejected), 'not called: breaker `payments` was open, for 3 s more when it was asked')
  guard.breaker.forceOpen()
  assert.equal(explain(await rejection(guard.call(fail))), 'not called: breaker `payments` was forced open')
})

test('what no call was given up with is not explained', async () => {
  const { guard } = made({ ignore: () => true })
  for (const value of [new Error('no'), undefined, null, 'text', 5, {}]) assert.equal(explain(value), undefined)
  const ignored = await rejection(guard.call(fail))
  assert.equal(callInfo(ignored).stop, undefined)
  assert.equal(explain(ignored), 'failed in 1 attempt within 0 ms')
})
