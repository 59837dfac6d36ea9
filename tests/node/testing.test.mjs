/** `overcurrent/testing`: `instant`, `disabled` and `captureEvents`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker, BreakerOpen, Guard, ManualClock, Retry, callInfo, compose, constant } from 'overcurrent'
import { captureEvents, disabled, instant } from 'overcurrent/testing'
import { deferred, fakeTime, fakeTimers, rejection, turn } from './tools.mjs'

const hourly = { maxAttempts: 3, backoff: constant('1h'), jitter: 'none' }

/** A function that fails so many times, then answers how often it was called. */
function flaky(failures) {
  let calls = 0
  return () => {
    if (++calls <= failures) throw new Error(`failure ${calls}`)
    return calls
  }
}

test('instant: waits take no time, and count', async () => {
  const guard = new Guard('g', { deadline: false, retry: hourly })
  const started = performance.now()
  assert.equal(await instant(() => guard.call(flaky(2))), 3)
  const { attempts, elapsedMs, stop } = callInfo(await instant(() => rejection(guard.call(flaky(3)))))
  assert.deepEqual([attempts, stop], [3, 'attempts_exhausted'])
  assert.ok(elapsedMs >= 2 * 3_600_000 && elapsedMs < 2 * 3_600_000 + 60_000, String(elapsedMs))
  assert.ok(performance.now() - started < 60_000)
})

test('instant: no call sleeps into its deadline', async () => {
  const guard = new Guard('g', { deadline: '90m', retry: hourly })
  const error = await instant(() => rejection(guard.call(flaky(3))))
  assert.equal(error.message, 'failure 2')
  assert.deepEqual([callInfo(error).attempts, callInfo(error).stop], [2, 'deadline'])
})

test('instant: a call that waits for an open breaker gets to probe it', async () => {
  const guard = new Guard('g', { whenOpen: 'wait', deadline: false, breaker: { cooldown: '1h', cooldownMax: '1h' } })
  guard.breaker.trip()
  assert.equal(await instant(() => guard.call(() => guard.breaker.state)), 'half_open')
  assert.equal(guard.breaker.state, 'closed')
})

test('instant: a probe of somebody else is waited for, and gets its turn', async () => {
  const breaker = new Breaker('b')
  breaker.trip('1ns')
  const probe = await rejectionOrPermit(breaker)
  const guard = new Guard('g', { whenOpen: 'wait', deadline: '24h', breaker })
  let waiting = true
  const call = instant(() => guard.call(() => 'in')).finally(() => (waiting = false))
  await turn()
  assert.ok(waiting)
  probe.success()
  assert.equal(await call, 'in')
})

/** The permit of a breaker that will grant one within a millisecond. */
async function rejectionOrPermit(breaker) {
  for (;;) {
    try {
      return breaker.acquire()
    } catch (error) {
      assert.ok(error instanceof BreakerOpen)
      await turn()
    }
  }
}

test('instant: attempt timeouts and deadlines of attempts hold', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { attemptTimeout: '2s', deadline: false, retry: hourly })
  const attempts = []
  const stuck = ({ attempt, remaining }) => {
    attempts.push([attempt, remaining])
    return new Promise(() => {})
  }
  const failed = instant(() => rejection(guard.call(stuck)))
  for (let attempt = 1; attempt <= 3; attempt++) {
    assert.deepEqual(attempts.at(-1), [attempt, 2000])
    tick(1999)
    await turn()
    assert.equal(attempts.length, attempt)
    tick(1)
    await turn()
  }
  const error = await failed
  assert.equal(error.code, 'ATTEMPT_TIMEOUT')
  assert.equal(callInfo(error).elapsedMs, 2 * 3_600_000 + 6000)
})

test('instant: fake timers hold no wait', async t => {
  fakeTimers(t)
  t.mock.method(globalThis, 'setImmediate', () => assert.fail('it was used'))
  t.mock.method(globalThis, 'queueMicrotask', () => assert.fail('it was used'))
  assert.equal(await instant(() => new Guard('g', { deadline: false, retry: hourly }).call(flaky(2))), 3)
  const clock = new ManualClock()
  assert.equal(await new Guard('g', { deadline: false, retry: hourly, clock }).call(flaky(2)), 3)
})

test('instant: a retry alone does not wait either', async () => {
  const retry = new Retry(hourly)
  assert.equal(await instant(() => retry.call(flaky(2))), 3)
  const error = await instant(() => rejection(retry.call(flaky(3), { deadline: '90m' })))
  assert.equal(callInfo(error).stop, 'deadline')
  assert.ok(callInfo(error).elapsedMs >= 3_600_000)
})

test('instant: a manual clock is moved as ever', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { deadline: false, retry: hourly, clock })
  assert.equal(await instant(() => guard.call(flaky(2))), 3)
  assert.equal(clock.nowNs, 7_200_000_000_000n)
  await instant(() => new Retry({ ...hourly, clock }).call(flaky(1)))
  assert.equal(clock.nowNs, 10_800_000_000_000n)
})

test('instant: the caller can give up between attempts', async () => {
  const guard = new Guard('g', { deadline: false, retry: hourly })
  const controller = new AbortController()
  let calls = 0
  const call = instant(() =>
    guard.call(
      () => {
        calls++
        queueMicrotask(() => controller.abort('enough'))
        throw new Error('failure')
      },
      { signal: controller.signal },
    ),
  )
  assert.equal(await rejection(call), 'enough')
  await turn()
  assert.equal(calls, 1)
})

test('a call keeps to what was so when it began', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { deadline: false, retry: { ...hourly, maxAttempts: 2 } })
  const ends = [deferred(), deferred()]
  const call = end => guard.call(({ attempt }) => (attempt === 1 ? end.promise : 'again'))
  const before = call(ends[0])
  const switched = instant()
  const within = call(ends[1])
  ends[0].reject(new Error('failure'))
  await turn()
  switched[Symbol.dispose]()
  ends[1].reject(new Error('failure'))
  assert.equal(await within, 'again')
  tick(3_600_000)
  assert.equal(await before, 'again')
})

test('disabled: calls go straight through, and nothing is counted', async () => {
  const asked = []
  const guard = new Guard('g', {
    deadline: '1ns',
    attemptTimeout: '1ns',
    breaker: { consecutiveFailures: 1 },
    classify: result => void asked.push(result),
  })
  guard.breaker.forceOpen()
  const tokens = guard.budget.tokensMicro
  const own = new Error('own')
  let calls = 0
  await disabled(async () => {
    assert.deepEqual(await guard.call(async ({ attempt, remaining }) => [attempt, remaining]), [1, undefined])
    const failing = guard.call(() => {
      calls++
      throw own
    })
    assert.equal(await rejection(failing), own)
    assert.equal(await guard.wrap(order => `receipt for ${order}`)('order 7'), 'receipt for order 7')
  })
  assert.deepEqual([calls, asked, guard.budget.tokensMicro], [1, [], tokens])
  assert.equal(guard.breaker.state, 'forced_open')
  guard.breaker.reset()
  await disabled(() => rejection(guard.call(() => Promise.reject(own))))
  assert.equal(guard.breaker.state, 'closed')
})

test('disabled: the caller has the key and the signal, and can give up', async () => {
  const guard = new Guard('g')
  const controller = new AbortController()
  const { promise: started, resolve: start } = deferred()
  const call = disabled(() =>
    guard.call(
      ({ signal, idempotencyKey }) => {
        start([idempotencyKey, signal])
        return new Promise(() => {})
      },
      { signal: controller.signal, key: 'order 7' },
    ),
  )
  const [key, signal] = await started
  assert.deepEqual([key, signal.aborted], ['order 7', false])
  controller.abort('enough')
  assert.equal(await rejection(call), 'enough')
  assert.equal(signal.reason, 'enough')
})

test('both reach composed guards', async () => {
  const outer = new Guard('outer', { deadline: false, attemptTimeout: false, retry: hourly, breaker: false })
  const inner = new Guard('inner', { deadline: false, retry: { ...hourly, maxAttempts: 1 } })
  const both = compose(outer, inner)
  assert.equal(await instant(() => both.call(flaky(2))), 3)
  inner.breaker.forceOpen()
  assert.equal(await disabled(() => both.call(flaky(0))), 1)
  assert.equal((await disabled(() => rejection(both.call(flaky(1))))).message, 'failure 1')
})

test('disabled: a breaker alone', async () => {
  const breaker = new Breaker('b', { consecutiveFailures: 1 })
  breaker.forceOpen()
  await disabled(async () => {
    assert.equal(await breaker.call(async () => 1), 1)
    assert.equal(await breaker.wrap(value => value)(2), 2)
    const own = new Error('own')
    assert.equal(await rejection(breaker.call(() => Promise.reject(own))), own)
    breaker.acquire().failure()
  })
  breaker.reset()
  disabled(() => {
    breaker.acquire().failure()
    using(breaker.acquire())
  })
  assert.deepEqual([breaker.state, breaker.late], ['closed', 0])
})

/** What `using` does at the end of its block. */
function using(disposable) {
  disposable[Symbol.dispose]()
}

test('disabled: a retry alone has one attempt', async () => {
  const retry = new Retry({ ...hourly, budget: true })
  const tokens = retry.budget.tokensMicro
  assert.equal((await disabled(() => rejection(retry.call(flaky(1))))).message, 'failure 1')
  assert.equal(await disabled(() => retry.call(flaky(0))), 1)
  disabled(() => assert.deepEqual(retry.start().failed(), { stop: 'attempts_exhausted' }))
  assert.equal(retry.budget.tokensMicro, tokens)
  assert.equal(retry.start().failed().wait, 3_600_000)
})

for (const [name, turnOn, isOn] of [
  ['instant', instant, async () => (await elapsed(new Retry({ ...hourly, backoff: constant('1ms'), ref: true }))) === 'skipped'],
  ['disabled', disabled, async () => forced(new Breaker())],
]) {
  test(`${name} is on until the last is off`, async () => {
    assert.equal(await isOn(), false)
    const [one, other] = [turnOn(), turnOn()]
    assert.equal(await isOn(), true)
    using(one)
    using(one)
    assert.equal(await isOn(), true)
    using(other)
    assert.equal(await isOn(), false)
  })

  test(`${name} with a function is on to the end of what it returns`, async () => {
    assert.equal(
      turnOn(() => 1),
      1,
    )
    assert.equal(await isOn(), false)
    const own = new Error('own')
    assert.throws(
      () =>
        turnOn(() => {
          throw own
        }),
      own,
    )
    assert.equal(await isOn(), false)
    for (const settle of ['resolve', 'reject']) {
      const end = deferred()
      const result = turnOn(() => (settle === 'resolve' ? { then: (...ends) => end.promise.then(...ends) } : end.promise))
      assert.equal(await isOn(), true)
      end[settle](own)
      assert.equal(await result.catch(error => error), own)
      assert.equal(await isOn(), false)
    }
    for (const wrong of [1, null, {}]) assert.throws(() => turnOn(wrong), TypeError)
    assert.equal(await isOn(), false)
  })
}

/** Whether a wait of a retry was one of the timers'. */
async function elapsed(retry) {
  const { setTimeout } = globalThis
  let how = 'skipped'
  globalThis.setTimeout = (...args) => ((how = 'slept'), setTimeout(...args))
  await retry.call(flaky(1)).finally(() => (globalThis.setTimeout = setTimeout))
  return how
}

/** Whether a breaker that rejects everything lets a call pass. */
async function forced(breaker) {
  breaker.forceOpen()
  return breaker.call(() => true).catch(() => false)
}

/** What is told of a call that fails twice and then succeeds; nobody has said on whose behalf. */
const NOBODY = { traceId: undefined, spanId: undefined, correlationId: undefined }
const TOLD = [
  { name: 'retry', guard: 'g', attempt: 1, wait: 3_600_000, origin: 'backoff', ...NOBODY },
  { name: 'retry', guard: 'g', attempt: 2, wait: 3_600_000, origin: 'backoff', ...NOBODY },
]

test('captureEvents: of a guard and its breaker, until it is disposed of', async () => {
  const guard = new Guard('g', { deadline: false, retry: hourly })
  const other = new Guard('g', { deadline: false, retry: hourly })
  const events = captureEvents({ guard })
  await instant(() => Promise.all([guard.call(flaky(2)), rejection(other.call(flaky(9)))]))
  assert.deepEqual(events, TOLD)
  guard.breaker.trip()
  assert.deepEqual([events.length, events[2].name, events[2].reason], [3, 'stateChange', 'manual'])
  using(events)
  using(events)
  guard.breaker.reset()
  assert.equal(events.length, 3)
})

test('captureEvents: of a breaker, or of all there are', async () => {
  const breaker = new Breaker('b')
  const guard = new Guard('g', { breaker, deadline: false, retry: hourly })
  const [its, all] = [captureEvents({ breaker }), captureEvents()]
  await instant(() => guard.call(flaky(2)))
  assert.deepEqual([its, all], [[], TOLD])
  breaker.trip()
  assert.deepEqual(its, [all[2]])
  using(its)
  using(all)
})

test('captureEvents: in a function, to the end of what it returns', async () => {
  const guard = new Guard('g', { deadline: false, retry: hourly })
  const end = deferred()
  let events
  const result = captureEvents({ guard }, given => {
    events = given
    return end.promise
  })
  guard.breaker.trip()
  end.resolve('done')
  assert.equal(await result, 'done')
  guard.breaker.reset()
  assert.equal(events.length, 1)
  assert.equal(
    captureEvents({ guard }, given => given.push('one')),
    1,
  )
  const own = new Error('own')
  assert.throws(
    () =>
      captureEvents({ guard }, given => {
        events = given
        throw own
      }),
    own,
  )
  guard.breaker.trip()
  assert.deepEqual(events, [])
})

test('captureEvents: nothing is told of calls that go straight through', async () => {
  const guard = new Guard('g')
  const events = captureEvents()
  await disabled(() => rejection(guard.call(flaky(1))))
  await disabled(() => rejection(new Retry(hourly).call(flaky(1))))
  using(events)
  assert.deepEqual(events, [])
})

test('captureEvents: what is no source and what is no function are refused', () => {
  assert.throws(() => captureEvents({ guard: new Breaker('b') }), { code: 'INVALID_POLICY', path: 'guard' })
  assert.throws(() => captureEvents({}, 1), TypeError)
})
