/** The caller gives up: before, in an attempt, in a wait. It counts as nothing and frees what was held. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { AttemptTimeout, DeadlineExceeded, Guard, ManualClock, callInfo, constant } from 'overcurrent'
import { deferred, fakeTime, rejection, turn } from './tools.mjs'

/** A breaker that is open and may be probed. */
function probing(guard, clock) {
  guard.breaker.trip('1s')
  clock.advance('1s')
}

test('an aborted signal ends the call before it begins', async () => {
  const guard = new Guard('g', { retry: { budget: { ratio: 1, burst: 2 } } })
  guard.budget.withdraw()
  const reason = new Error('too late')
  assert.equal(await rejection(guard.call(() => assert.fail('it ran'), { signal: AbortSignal.abort(reason) })), reason)
  assert.equal(guard.budget.tokensMicro, 1_000_000)
})

for (const [name, clock] of [
  ['healthy', undefined],
  ['native', new ManualClock()],
]) {
  test(`aborting a ${name} attempt rejects at once and counts as nothing`, async () => {
    const guard = new Guard('g', { clock, breaker: { consecutiveFailures: 1 } })
    const controller = new AbortController()
    const { promise, reject } = deferred()
    let seen
    const call = guard.call(
      ({ signal }) => {
        seen = signal
        return promise
      },
      { signal: controller.signal },
    )
    assert.equal(seen.aborted, false)
    const reason = { not: 'an error' }
    controller.abort(reason)
    assert.deepEqual([seen.aborted, seen.reason], [true, reason])
    assert.equal(await rejection(call), reason)
    assert.equal(callInfo(reason), undefined)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
    // What comes now changes nothing, and is no unhandled rejection.
    reject(new Error('late'))
    await turn()
    assert.deepEqual([guard.breaker.state, guard.breaker.late], ['closed', 0])
  })
}

test('a cancelled call that had run long counts as a failure', async () => {
  for (const [elapsed, state] of [
    ['4999ms', 'closed'],
    ['5s', 'open'],
  ]) {
    const clock = new ManualClock()
    const guard = new Guard('g', { clock, attemptTimeout: '10s', breaker: { consecutiveFailures: 1 } })
    const controller = new AbortController()
    const call = guard.call(() => new Promise(() => {}), { signal: controller.signal })
    clock.advance(elapsed)
    controller.abort()
    assert.equal((await rejection(call)).name, 'AbortError')
    assert.equal(guard.breaker.state, state)
  }
})

test('the same on the clock of JavaScript', async t => {
  for (const [elapsed, state] of [
    [4999, 'closed'],
    [1, 'open'],
  ]) {
    const tick = elapsed === 4999 ? fakeTime(t) : undefined
    const guard = new Guard('g', {
      attemptTimeout: '10s',
      breaker: { consecutiveFailures: 1, abandonAfter: elapsed === 1 ? 1 : '5s' },
    })
    const controller = new AbortController()
    const call = guard.call(() => new Promise(() => {}), { signal: controller.signal })
    if (tick) tick(elapsed)
    else t.mock.method(performance, 'now', () => 1e9)
    controller.abort()
    await rejection(call)
    assert.equal(guard.breaker.state, state)
  }
})

test('aborting a probe gives its place back', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, breaker: { consecutiveFailures: 1 } })
  probing(guard, clock)
  const controller = new AbortController()
  const probe = guard.call(() => new Promise(() => {}), { signal: controller.signal })
  assert.equal((await rejection(guard.call(() => 1))).reason, 'half_open')
  controller.abort()
  await rejection(probe)
  assert.equal(await guard.call(() => 'second probe'), 'second probe')
  assert.equal(guard.breaker.state, 'closed')
})

test('aborting a wait ends the call at once', async () => {
  const guard = new Guard('g', { deadline: false, retry: { backoff: constant('1h'), jitter: 'none' } })
  const controller = new AbortController()
  let calls = 0
  const call = guard.call(
    () => {
      calls++
      throw new Error()
    },
    { signal: controller.signal },
  )
  await turn()
  const reason = new Error('enough')
  controller.abort(reason)
  assert.equal(await rejection(call), reason)
  assert.equal(calls, 1)
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
})

test('aborting a wait for an open breaker ends the call at once', async () => {
  const guard = new Guard('g', { deadline: '2h', whenOpen: 'wait' })
  guard.breaker.trip('1h')
  const controller = new AbortController()
  const call = guard.call(() => assert.fail('it ran'), { signal: controller.signal })
  await turn()
  controller.abort(null)
  assert.equal(await rejection(call), null)
})

test('aborting from inside the function, or from its classification, ends the call once', async () => {
  for (const clock of [undefined, new ManualClock()]) {
    const inside = new AbortController()
    const guard = new Guard('g', {
      clock,
      breaker: { consecutiveFailures: 1 },
      classify: ({ error }) => void (error === 'abort' && controller.abort('classified')),
    })
    assert.equal(
      await rejection(
        guard.call(
          () => {
            inside.abort('inside')
            throw new Error()
          },
          { signal: inside.signal },
        ),
      ),
      'inside',
    )
    const controller = new AbortController()
    assert.equal(
      await rejection(
        guard.call(
          () => {
            throw 'abort'
          },
          { signal: controller.signal },
        ),
      ),
      'classified',
    )
    assert.equal(guard.breaker.state, 'closed')
  }
})

test('aborting after the end does nothing, and leaves no listener', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const guard = new Guard('g', { retry: false })
  let attempted
  assert.equal(
    await guard.call(
      context => {
        attempted = context.signal
        return 1
      },
      { signal },
    ),
    1,
  )
  await rejection(
    guard.call(
      () => {
        throw new Error()
      },
      { signal },
    ),
  )
  guard.breaker.forceOpen()
  await rejection(guard.call(() => 1, { signal }))
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  controller.abort()
  assert.equal(attempted.aborted, false)
  assert.equal(guard.breaker.late, 0)
})

test('the signal of an attempt says what ended it', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', {
    clock,
    deadline: '3s',
    attemptTimeout: '2s',
    retry: { backoff: 'none', maxAttempts: 2 },
  })
  const contexts = []
  const signals = []
  const call = guard.call(context => {
    contexts.push(context)
    if (context.attempt === 1) signals.push(context.signal)
    return new Promise(() => {})
  })
  clock.advance('2s')
  assert.ok(signals[0].aborted && signals[0].reason instanceof AttemptTimeout)
  assert.equal(signals[0].reason.message, 'attempt 1 of `g` timed out after 2 s')
  await turn()
  clock.advance('1s')
  const error = await rejection(call)
  assert.ok(error instanceof DeadlineExceeded)
  assert.equal(error.cause, signals[0].reason)
  // Read only now, it still says so.
  assert.equal(contexts[1].signal.reason, error)
  assert.equal(contexts[1].signal, contexts[1].signal)
})

test('what the signal of a cut attempt sets off changes no wait, and may end the call', async t => {
  const tick = fakeTime(t)
  const slow = new Guard('slow', { retry: { backoff: constant('5s'), jitter: 'none' } })
  const guard = new Guard('g', { attemptTimeout: '2s', retry: { backoff: constant('1s'), jitter: 'none' } })
  let attempts = 0
  const controller = new AbortController()
  const call = guard.call(
    ({ attempt, signal }) => {
      attempts = attempt
      signal.addEventListener('abort', () => {
        if (attempt === 2) controller.abort('enough')
        else
          slow
            .call(() => {
              throw new Error()
            })
            .catch(() => {})
      })
      return new Promise(() => {})
    },
    { signal: controller.signal },
  )
  tick(2999)
  assert.equal(attempts, 1)
  tick(1)
  assert.equal(attempts, 2)
  tick(2000)
  assert.equal(await rejection(call), 'enough')
  tick(60_000)
  await turn()
  assert.equal(attempts, 2)
})

test('the same on a manual clock', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '2s', retry: { backoff: constant('1s'), jitter: 'none' } })
  const controller = new AbortController()
  const call = guard.call(
    ({ signal }) => {
      signal.addEventListener('abort', () => controller.abort('enough'))
      return new Promise(() => {})
    },
    { signal: controller.signal },
  )
  clock.advance('2s')
  assert.equal(await rejection(call), 'enough')
  await turn()
  // One wait moves the time of all: what is due by then ends with it.
  const other = new AbortController()
  const pending = guard.call(({ signal }) => {
    signal.addEventListener('abort', () => other.abort('by the other'))
    return new Promise(() => {})
  })
  const end = rejection(pending)
  clock.advance('1500ms')
  const failing = guard.call(
    () => {
      throw new Error()
    },
    { signal: other.signal },
  )
  assert.equal(await rejection(failing), 'by the other')
  for (let attempt = 1; attempt <= 3; attempt++) {
    clock.advance('2s')
    await turn()
  }
  assert.ok((await end) instanceof AttemptTimeout)
})

test('an own TimeoutError or AbortError is an ordinary failure', async () => {
  const guard = new Guard('g', { retry: { backoff: 'none' }, breaker: { consecutiveFailures: 3 } })
  for (const name of ['TimeoutError', 'AbortError']) {
    const error = new DOMException('own', name)
    assert.equal(
      await rejection(
        guard.call(() => {
          throw error
        }),
      ),
      error,
    )
    assert.deepEqual(callInfo(error).attempts, 3)
    assert.equal(guard.breaker.state, 'open')
    guard.breaker.reset()
  }
})

test('a signal of a timeout is a cancellation too', async () => {
  const guard = new Guard('g', { breaker: { consecutiveFailures: 1 } })
  const controller = new AbortController()
  const call = guard.call(() => new Promise(() => {}), { signal: AbortSignal.any([controller.signal]) })
  controller.abort(new DOMException('the caller has no time', 'TimeoutError'))
  assert.equal((await rejection(call)).name, 'TimeoutError')
  assert.equal(guard.breaker.state, 'closed')
})

test('a thousand calls on one signal add one listener, and warn of nothing', async t => {
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  const guard = new Guard('g', { breaker: { consecutiveFailures: 1 } })
  const { signal } = new AbortController()
  const answer = deferred()
  const calls = Array.from({ length: 1000 }, () => guard.call(() => answer.promise, { signal }))
  assert.equal(getEventListeners(signal, 'abort').length, 1)
  answer.resolve('all')
  assert.equal((await Promise.all(calls)).length, 1000)
  assert.equal(getEventListeners(signal, 'abort').length, 0)

  const controller = new AbortController()
  const others = [guard, new Guard('other')]
  const pending = Array.from({ length: 1000 }, (_, index) =>
    rejection(others[index % 2].call(() => new Promise(() => {}), { signal: controller.signal })),
  )
  // One that ends by itself leaves the others in place.
  assert.equal(await guard.call(() => 'one', { signal: controller.signal }), 'one')
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1)
  controller.abort('all')
  assert.deepEqual(new Set(await Promise.all(pending)), new Set(['all']))
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  assert.deepEqual([guard.breaker.state, warnings.mock.callCount()], ['closed', 0])
})
