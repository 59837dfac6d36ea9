/** Guarded calls: attempts, waits, verdicts and limits, decided jointly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AttemptTimeout,
  Breaker,
  BreakerOpen,
  Budget,
  DeadlineExceeded,
  Guard,
  ManualClock,
  Retry,
  callInfo,
  constant,
  schedule,
} from 'overcurrent'
import { deferred, fakeTime, fakeTimers, rejection, turn } from './tools.mjs'

/** Plain waits, so that a test can say how long each is. */
const waits = (...delays) => ({ backoff: schedule(...delays), jitter: 'none', maxAttempts: delays.length + 1 })

test('a plain value, a promise and a thenable are answers', async () => {
  const guard = new Guard('g')
  assert.equal(await guard.call(() => 1), 1)
  assert.equal(await guard.call(async () => 2), 2)
  assert.equal(await guard.call(() => ({ then: resolve => resolve(3) })), 3)
  assert.equal(await guard.call(() => undefined), undefined)
  assert.equal(await guard.call(() => null), null)
  assert.equal(guard.breaker.state, 'closed')
})

test('throwing, rejecting and a thenable that cannot be read are failures', async () => {
  for (const fail of [
    error => {
      throw error
    },
    error => Promise.reject(error),
    error => ({
      get then() {
        throw error
      },
    }),
    error => ({ then: (_, reject) => reject(error) }),
  ]) {
    const guard = new Guard('g', { retry: false, breaker: { consecutiveFailures: 1 } })
    const error = new Error('mine')
    assert.equal(await rejection(guard.call(() => fail(error))), error)
    assert.equal(guard.breaker.state, 'open')
  }
})

test('a failure is retried after its wait', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, retry: waits('100ms', '250ms') })
  const starts = []
  const answer = await guard.call(({ attempt }) => {
    starts.push([attempt, clock.nowNs / 1_000_000n])
    if (attempt < 3) throw new Error('not yet')
    return 'done'
  })
  assert.equal(answer, 'done')
  assert.deepEqual(starts, [
    [1, 0n],
    [2, 100n],
    [3, 350n],
  ])
})

test('waits last as long as drawn from the seed, the same as in every language', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, seed: 42n, deadline: false, retry: { maxAttempts: 4, budget: false } })
  const at = []
  await rejection(
    guard.call(() => {
      at.push(clock.nowNs)
      throw new Error('no')
    }),
  )
  const drawn = at.slice(1).map((now, index) => now - at[index])
  // The guard draws from mix(seed).
  const mask = (1n << 64n) - 1n
  const mix = z => {
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask
    return z ^ (z >> 31n)
  }
  const draw = n => mix((mix(42n) + n * 0x9e3779b97f4a7c15n) & mask)
  const expected = [100n, 200n, 400n].map((base, index) => (draw(BigInt(index + 1)) * (base * 1_000_000n + 1n)) >> 64n)
  assert.deepEqual(drawn, expected)
})

test('the last own error comes back untouched, with an account beside it', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, retry: waits('10ms', '10ms') })
  const cause = new Error('below')
  const errors = [1, 2, 3].map(n => Object.freeze(new Error(`number ${n}`, { cause })))
  const error = await rejection(
    guard.call(({ attempt }) => {
      throw errors[attempt - 1]
    }),
  )
  assert.equal(error, errors[2])
  assert.equal(error.cause, cause)
  assert.deepEqual(Object.keys(error), [])
  assert.deepEqual(callInfo(error), { attempts: 3, elapsedMs: 20, stop: 'attempts_exhausted' })
})

test('the context tells the attempt, the time left and one key for all attempts', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, deadline: '3s', attemptTimeout: '2s', retry: waits('1500ms') })
  const seen = []
  const look = context => {
    clock.advance('100ms')
    seen.push([context.attempt, context.remaining, context.idempotencyKey])
    if (context.attempt === 1) throw new Error('again')
  }
  await guard.call(look)
  const [[, , key]] = seen
  assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.deepEqual(seen, [
    [1, 1900, key],
    [2, 1300, key],
  ])

  await guard.call(({ idempotencyKey }) => assert.notEqual(idempotencyKey, key))
  await guard.call(({ idempotencyKey }) => assert.equal(idempotencyKey, 'mine'), { key: 'mine' })
  await new Guard('g', { deadline: false, attemptTimeout: false, breaker: false }).call(({ remaining }) =>
    assert.equal(remaining, undefined),
  )
})

test('retries end on a failing value with that value', async () => {
  const clock = new ManualClock()
  const classify = ({ value }) => (value >= 500 ? 'failure' : undefined)
  const guard = new Guard('g', { clock, classify, retry: waits('1ms', '1ms'), breaker: { consecutiveFailures: 3 } })
  assert.equal(await guard.call(({ attempt }) => 500 + attempt), 503)
  assert.equal(guard.breaker.state, 'open')
})

test('classify decides: final, ignored, hinted, or nothing', async () => {
  const clock = new ManualClock()
  let calls = 0
  const run = async (verdict, options) => {
    calls = 0
    const guard = new Guard('g', {
      clock,
      retry: waits('10ms', '10ms'),
      breaker: { consecutiveFailures: 1 },
      classify: () => verdict,
      ...options,
    })
    const before = clock.nowNs
    const error = await rejection(
      guard.call(() => {
        calls++
        throw new Error('e')
      }),
    )
    return [calls, guard.breaker.state, callInfo(error).stop, Number(clock.nowNs - before) / 1e6]
  }
  assert.deepEqual(await run({ retryable: false }), [1, 'open', 'not_retryable', 0])
  assert.deepEqual(await run('ignored'), [1, 'closed', undefined, 0])
  assert.deepEqual(await run('failure'), [1, 'open', 'breaker_open', 0])
  assert.deepEqual(
    await run('failure', { breaker: false, classify: () => 'failure' }).catch(() => 'no breaker'),
    'no breaker',
  )
  const hinted = { retry: { ...waits('10ms', '10ms'), maxHint: '1s' }, breaker: { consecutiveFailures: 9 } }
  assert.deepEqual(await run({ hint: '200ms' }, hinted), [3, 'closed', 'attempts_exhausted', 400])
  assert.deepEqual(await run({ retryable: true, hint: 250 }, hinted), [3, 'closed', 'attempts_exhausted', 500])
  assert.deepEqual(await run({ hint: '2s' }, hinted), [1, 'closed', 'hint_too_long', 0])
  const kept = await new Guard('g', { classify: ({ error }) => (error ? 'success' : undefined) })
    .call(async () => {
      throw new Error('fine')
    })
    .catch(error => error.message)
  assert.equal(kept, 'fine')
})

test('`ignore` and `on` go by class or predicate', async () => {
  class NotFound extends Error {}
  class Gone extends NotFound {}
  const state = async (options, error) => {
    const guard = new Guard('g', { retry: false, breaker: { consecutiveFailures: 1 }, ...options })
    assert.equal(
      await rejection(
        guard.call(() => {
          throw error
        }),
      ),
      error,
    )
    return guard.breaker.state
  }
  assert.equal(await state({}, new NotFound()), 'open')
  assert.equal(await state({}, 'a text'), 'open')
  assert.equal(await state({ ignore: NotFound }, new Gone()), 'closed')
  assert.equal(await state({ ignore: NotFound }, new Error()), 'open')
  assert.equal(await state({ ignore: [TypeError, error => error === 404] }, 404), 'closed')
  assert.equal(await state({ on: NotFound }, new Gone()), 'open')
  assert.equal(await state({ on: [NotFound, DOMException] }, new DOMException()), 'open')
  assert.equal(await state({ on: NotFound }, new Error()), 'closed')
  assert.equal(await state({ on: Error, ignore: NotFound }, new NotFound()), 'closed')
  assert.equal(
    await state(
      {
        on: function isFive(error) {
          return error === 5
        },
      },
      5,
    ),
    'open',
  )
  assert.equal(await state({ on: NotFound, classify: () => 'failure' }, new Error()), 'open')
})

test('a rejection by another guard is ignored', async () => {
  const inner = new Guard('inner')
  inner.breaker.forceOpen()
  const outer = new Guard('outer', { on: Error, breaker: { consecutiveFailures: 1 } })
  let calls = 0
  const error = await rejection(
    outer.call(() => {
      calls++
      return inner.call(() => 1)
    }),
  )
  assert.ok(error instanceof BreakerOpen && error.breaker === 'inner')
  assert.deepEqual([calls, outer.breaker.state], [1, 'closed'])
})

test('without hooks of its own a guard has those of its retry or breaker', async () => {
  const quick = { consecutiveFailures: 1 }
  const state = async (guard, thrown) => {
    await rejection(guard.call(() => Promise.reject(thrown)))
    return guard.breaker.state
  }
  const breaker = () => new Breaker('b', { ...quick, ignore: TypeError })
  const retry = new Retry({ maxAttempts: 1, ignore: RangeError })
  assert.equal(await state(new Guard('g', { breaker: breaker() }), new TypeError()), 'closed')
  assert.equal(await state(new Guard('g', { breaker: breaker(), ignore: RangeError }), new TypeError()), 'open')
  assert.equal(await state(new Guard('g', { breaker: quick, retry }), new RangeError()), 'closed')
  const guard = new Guard('g', { breaker: quick, ignore: TypeError })
  await rejection(guard.breaker.call(() => Promise.reject(new TypeError())))
  assert.equal(guard.breaker.state, 'closed')
})

test('a hook that throws is reported once and has nothing to say', async t => {
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  for (const options of [
    {
      classify: () => {
        throw new Error('oops')
      },
    },
    {
      classify: () => {
        throw Object.create(null)
      },
    },
    { classify: () => 'sucess' },
    { classify: async () => 'failure' },
    { classify: () => ({ hint: 'soon' }) },
    {
      on: Error,
      ignore: () => {
        throw new Error('oops')
      },
    },
  ]) {
    warnings.mock.resetCalls()
    const guard = new Guard('g', { retry: false, breaker: { consecutiveFailures: 2 }, ...options })
    await rejection(
      guard.call(() => {
        throw new Error('1')
      }),
    )
    assert.equal(guard.breaker.state, 'closed')
    await rejection(
      guard.call(() => {
        throw new Error('2')
      }),
    )
    assert.equal(guard.breaker.state, 'open')
    assert.equal(warnings.mock.callCount(), 1)
    assert.equal(warnings.mock.calls[0].arguments[1].code, 'OVERCURRENT_HOOK')
  }
})

test('an open breaker rejects without running the function', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', {
    clock,
    retry: false,
    breaker: { consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 },
  })
  await rejection(
    guard.call(() => {
      throw new Error('down')
    }),
  )
  clock.advance('1500us')
  const error = await rejection(guard.call(() => assert.fail('it ran')))
  assert.ok(error instanceof BreakerOpen)
  assert.deepEqual([error.breaker, error.reason, error.retryAfterMs], ['g', 'open', 4998.5])
  assert.equal(error.message, 'breaker `g` is open, retry after 5 s')
  assert.equal(callInfo(error), undefined)
  clock.advance('5s')
  assert.equal(await guard.call(() => 'back'), 'back')
  assert.equal(guard.breaker.state, 'closed')
})

test('`whenOpen: wait` waits for the probe, within the deadline', async () => {
  const clock = new ManualClock()
  const breaker = { consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 }
  const guard = new Guard('g', { clock, whenOpen: 'wait', breaker, retry: waits('10ms', '10ms', '10ms') })
  const at = []
  const answer = await guard.call(({ attempt }) => {
    at.push(clock.nowNs / 1_000_000n)
    if (attempt === 1) throw new Error('down')
    return 'up'
  })
  assert.equal(answer, 'up')
  assert.deepEqual(at, [0n, 5000n])

  const hasty = new Guard('h', { clock, whenOpen: 'wait', deadline: '4s', attemptTimeout: '1s', breaker, retry: false })
  hasty.breaker.trip()
  assert.ok((await rejection(hasty.call(() => 1))) instanceof BreakerOpen)
  hasty.breaker.forceOpen()
  assert.equal((await rejection(hasty.call(() => 1))).reason, 'forced_open')
})

test('an attempt is cut at its timeout, also one that heeds nothing', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '2s', retry: waits('1s') })
  const late = [deferred(), deferred()]
  const call = guard.call(({ attempt }) => late[attempt - 1].promise)
  clock.advance('1999ms')
  clock.advance('1ms')
  await turn()
  clock.advance('2s')
  const error = await rejection(call)
  assert.ok(error instanceof AttemptTimeout)
  assert.equal(error.message, 'attempt 2 of `g` timed out after 2 s')
  assert.deepEqual(callInfo(error), { attempts: 2, elapsedMs: 5000, stop: 'attempts_exhausted' })

  // What comes now is nobody's concern: no unhandled rejection, nothing counted.
  late[0].resolve('late')
  late[1].reject(new Error('late'))
  await turn()
  assert.equal(guard.breaker.late, 0)
})

test('what returns after its time was up is a timeout, though it was not interrupted', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '2s', retry: false, breaker: { consecutiveFailures: 1 } })
  const error = await rejection(
    guard.call(async () => {
      clock.set('2s')
      return 'too late'
    }),
  )
  assert.ok(error instanceof AttemptTimeout)
  assert.equal(guard.breaker.state, 'open')
})

test('the same where the event loop was blocked and no timer could fire', async t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const guard = new Guard('g', { attemptTimeout: '2s', retry: false, breaker: { consecutiveFailures: 1 } })
  assert.equal(
    await guard.call(() => {
      now += 1999
      return 'in time'
    }),
    'in time',
  )
  assert.ok(
    (await rejection(
      guard.call(() => {
        now += 2000
        return 'too late'
      }),
    )) instanceof AttemptTimeout,
  )
  assert.equal(guard.breaker.state, 'open')
})

test('the deadline cuts with the last own error as the cause', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, deadline: '3s', attemptTimeout: '2s', retry: waits('1s', '1s') })
  const own = new Error('mine')
  const call = guard.call(({ attempt }) => {
    clock.advance('500ms')
    if (attempt === 1) throw own
    return new Promise(() => {})
  })
  await turn()
  clock.advance('1s')
  const error = await rejection(call)
  assert.ok(error instanceof DeadlineExceeded)
  assert.equal(error.message, 'call of `g` exceeded its deadline of 3 s in attempt 2')
  assert.equal(error.cause, own)
  assert.deepEqual(callInfo(error), { attempts: 2, elapsedMs: 3000, stop: undefined })
  assert.equal(
    Object.hasOwn(
      await rejection(new Guard('h', { clock, deadline: '1s', attemptTimeout: false }).call(() => clock.advance('1s'))),
      'cause',
    ),
    false,
  )
})

test('retries stop before the deadline and before an empty budget', async () => {
  const clock = new ManualClock()
  const fail = () => {
    throw new Error('no')
  }
  const short = new Guard('g', { clock, deadline: '150ms', attemptTimeout: '100ms', retry: waits('100ms', '100ms') })
  assert.equal(callInfo(await rejection(short.call(fail))).stop, 'deadline')
  const poor = new Guard('g', {
    clock,
    retry: { ...waits('1ms', '1ms'), budget: { ratio: 0, minPerSecond: 0, burst: 1 } },
  })
  assert.deepEqual(callInfo(await rejection(poor.call(fail))), { attempts: 2, elapsedMs: 1, stop: 'budget_exhausted' })
  assert.equal(poor.budget.tokensMicro, 0)
})

test('each call deposits once, also a healthy one', async () => {
  const guard = new Guard('g', { retry: { budget: { ratio: 0.25, minPerSecond: 0, burst: 2 } } })
  assert.ok(guard.budget.withdraw())
  assert.equal(guard.budget.tokensMicro, 1_000_000)
  await guard.call(() => 1)
  await guard.call(async () => 1)
  assert.equal(guard.budget.tokensMicro, 1_500_000)
  for (let calls = 0; calls < 5; calls++) await guard.call(() => 1)
  assert.equal(guard.budget.tokensMicro, 2_000_000)
})

test('breakers, retries and budgets can be shared', async () => {
  const breaker = new Breaker('shared', { consecutiveFailures: 1 })
  const budget = new Budget({ ratio: 0, minPerSecond: 0, burst: 1 })
  const retry = new Retry({ ...waits('1ns', '1ns'), budget })
  const one = new Guard('one', { breaker, retry })
  const other = new Guard('other', { breaker: false, retry: { maxAttempts: 5, backoff: constant(0), budget } })
  assert.equal(one.breaker, breaker)
  assert.equal(one.budget, budget)
  assert.equal(other.budget, budget)
  assert.equal(
    callInfo(
      await rejection(
        other.call(() => {
          throw new Error()
        }),
      ),
    ).attempts,
    2,
  )
  await rejection(
    one.call(() => {
      throw new Error()
    }),
  )
  assert.equal(breaker.state, 'open')
  assert.equal((await rejection(new Guard('two', { breaker }).call(() => 1))).breaker, 'shared')
  assert.equal(new Guard('g', { retry: new Retry({ maxAttempts: 2 }) }).budget.tokensMicro, 10_000_000)
})

test('a shared breaker brings its clock', async () => {
  const clock = new ManualClock()
  const breaker = new Breaker('b', { clock, consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 })
  clock.advance('1h')
  const guard = new Guard('g', { breaker, retry: false })
  await rejection(
    guard.call(() => {
      throw new Error()
    }),
  )
  clock.advance('5s')
  assert.equal(await guard.call(() => 1), 1)
  assert.throws(() => new Guard('g', { breaker, clock: new ManualClock() }), { path: 'clock' })
})

test('wrap keeps the arguments, `this`, the name and the length', async () => {
  const shop = {
    currency: 'EUR',
    price: new Guard('g').wrap(async function price(cents, factor) {
      return `${cents * factor} ${this.currency}`
    }),
  }
  assert.equal(await shop.price(100, 2), '200 EUR')
  assert.deepEqual([shop.price.name, shop.price.length], ['price', 2])
  assert.throws(() => new Guard('g').wrap(1), TypeError)
  assert.ok((await rejection(new Guard('g').call(1))) instanceof TypeError)
})

test('everything can be off', async () => {
  const guard = new Guard('g', { deadline: false, attemptTimeout: false, retry: false, breaker: false })
  assert.deepEqual([guard.breaker, guard.budget], [undefined, undefined])
  assert.equal(await guard.call(() => 1), 1)
  const error = new Error()
  assert.equal(
    await rejection(
      guard.call(() => {
        throw error
      }),
    ),
    error,
  )
  assert.equal(callInfo(error).stop, 'attempts_exhausted')
})

test('fake timers drive timeouts and waits', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { attemptTimeout: '2s', retry: waits('1s') })
  let starts = 0
  const call = guard.call(() => {
    starts++
    return new Promise(() => {})
  })
  tick(1999)
  await turn()
  assert.equal(starts, 1)
  tick(1)
  tick(999)
  assert.equal(starts, 1)
  tick(1)
  assert.equal(starts, 2)
  tick(2000)
  assert.equal(callInfo(await rejection(call)).elapsedMs, 5000)
})

test('one queue serves attempts with different ends', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { deadline: '2500ms', attemptTimeout: '2s', retry: waits('900ms') })
  const ends = []
  const call = (name, fn) => guard.call(fn).catch(error => ends.push([name, error.code]))
  const first = call('first', ({ attempt }) => {
    if (attempt === 1) throw new Error()
    return new Promise(() => {})
  })
  const second = call('second', () => new Promise(() => {}))
  await turn()
  tick(899)
  const third = call('third', () => new Promise(() => {}))
  // The first one tries again, and has less time left than the third.
  tick(1)
  const fourth = call('fourth', async () => 4)
  for (let elapsed = 0; elapsed < 5000; elapsed += 100) {
    tick(100)
    await turn()
  }
  await Promise.all([first, second, third, fourth])
  assert.deepEqual(ends, [
    ['second', 'ATTEMPT_TIMEOUT'],
    ['first', 'DEADLINE_EXCEEDED'],
    ['third', 'ATTEMPT_TIMEOUT'],
  ])
})

test('timers that come and go leave no attempt without an end', async t => {
  const guard = new Guard('g', { attemptTimeout: '2s', retry: false })
  const before = deferred()
  const call = guard.call(() => before.promise)
  const tick = fakeTime(t)
  const stuck = guard.call(() => new Promise(() => {}))
  tick(2000)
  assert.ok((await rejection(stuck)) instanceof AttemptTimeout)
  before.resolve('fine')
  await Promise.allSettled([call])
})

test('fake timers that leave the clock alone still end attempts and waits', async t => {
  const tick = fakeTimers(t)
  const guard = new Guard('g', { attemptTimeout: '2s', retry: waits('1s') })
  const call = guard.call(() => new Promise(() => {}))
  tick(2000)
  tick(1000)
  tick(2000)
  assert.ok((await rejection(call)) instanceof AttemptTimeout)
})
