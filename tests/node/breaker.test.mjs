/** A breaker alone; and that successes counted in place count like those the core counts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Breaker, BreakerOpen, Guard, ManualClock, Permit } from 'overcurrent'
import { deferred, fakeTime, rejection } from './tools.mjs'

const quick = { consecutiveFailures: 2, cooldown: '5s', cooldownJitter: 0 }

test('a permit is used up by the first word about it', () => {
  const breaker = new Breaker('b', quick)
  const permit = breaker.acquire()
  assert.ok(permit instanceof Permit)
  permit.failure()
  permit.failure()
  permit.success()
  assert.equal(breaker.state, 'closed')
  breaker.acquire().failure()
  assert.deepEqual([breaker.state, breaker.reason], ['open', 'consecutive_failures'])
})

test('leaving the block of a permit cancels it, if nothing was said', () => {
  const clock = new ManualClock()
  const breaker = new Breaker('b', { ...quick, clock })
  breaker.trip('1s')
  clock.advance('1s')
  const probe = breaker.acquire()
  assert.equal(breaker.state, 'half_open')
  assert.throws(() => breaker.acquire(), { code: 'BREAKER_OPEN', reason: 'half_open', retryAfterMs: undefined })
  probe[Symbol.dispose]()
  const second = breaker.acquire()
  second.success()
  second[Symbol.dispose]()
  assert.equal(breaker.state, 'closed')
})

test('a rejection tells the breaker, the reason and the time', () => {
  const clock = new ManualClock()
  const breaker = new Breaker('payments', { ...quick, clock })
  breaker.trip('1500ms')
  clock.advance('500ms')
  assert.equal(breaker.retryAfterMs, 1000)
  assert.throws(
    () => breaker.acquire(),
    error => {
      assert.ok(error instanceof BreakerOpen)
      assert.deepEqual(
        [error.breaker, error.reason, error.retryAfterMs, error.message],
        ['payments', 'open', 1000, 'breaker `payments` is open, retry after 1 s'],
      )
      return true
    },
  )
  breaker.forceOpen()
  assert.deepEqual([breaker.state, breaker.reason, breaker.retryAfterMs], ['forced_open', undefined, undefined])
  assert.throws(() => breaker.acquire(), { reason: 'forced_open', message: 'breaker `payments` is forced_open' })
  breaker.automatic()
  assert.equal(breaker.state, 'open')
  breaker.forceClosed()
  breaker.acquire().failure()
  breaker.acquire().failure()
  assert.equal(breaker.state, 'forced_closed')
  breaker.reset()
  assert.equal(breaker.state, 'closed')
})

test('outcomes of an epoch that is over are late', () => {
  const breaker = new Breaker('b', quick)
  const permits = [breaker.acquire(), breaker.acquire(), breaker.acquire()]
  breaker.reset()
  permits[0].failure()
  permits[1].success()
  permits[2].cancelled()
  assert.equal(breaker.late, 3)
})

test('a snapshot goes to another breaker', () => {
  const clock = new ManualClock()
  const breaker = new Breaker('b', { ...quick, clock })
  breaker.trip('2s')
  clock.advance('500ms')
  const snapshot = JSON.parse(JSON.stringify(breaker.snapshot()))
  assert.deepEqual(snapshot, {
    version: 1,
    state: 'open',
    override: null,
    remaining_ns: 1.5e9,
    opens: 0,
    reason: 'manual',
  })
  const other = new Breaker('o', { ...quick, clock: new ManualClock() })
  other.restore(snapshot)
  assert.deepEqual([other.state, other.retryAfterMs], ['open', 1500])
  for (const wrong of [
    { ...snapshot, version: 2 },
    { ...snapshot, more: 1 },
    { ...snapshot, state: 'ajar' },
    { ...snapshot, remaining_ns: 1e15 },
    undefined,
    null,
    3,
  ]) {
    assert.throws(() => other.restore(wrong), { code: 'INVALID_POLICY' })
  }
})

test('a call records what became of it', async () => {
  const breaker = new Breaker('b', quick)
  assert.equal(await breaker.call(() => 1), 1)
  assert.equal(await breaker.call(async () => 2), 2)
  const error = new Error()
  assert.equal(
    await rejection(
      breaker.call(() => {
        throw error
      }),
    ),
    error,
  )
  assert.equal(
    await rejection(
      breaker.call(async () => {
        throw error
      }),
    ),
    error,
  )
  assert.equal(breaker.state, 'open')
  assert.ok((await rejection(breaker.call(() => assert.fail('it ran')))) instanceof BreakerOpen)
  const outer = new Breaker('outer', { consecutiveFailures: 1 })
  await rejection(outer.call(() => breaker.call(() => 1)))
  assert.equal(outer.state, 'closed')
  const add = new Breaker().wrap(function add(a, b) {
    return a + b + this.c
  })
  assert.equal(await add.call({ c: 3 }, 1, 2), 6)
  assert.equal(new Breaker().name, 'breaker')
})

test('a slow call counts as one, measured or told', async () => {
  const clock = new ManualClock()
  const policy = { clock, window: { calls: 2 }, minimumCalls: 2, slowCall: '1s', slowRate: 1 }
  const measured = new Breaker('b', policy)
  for (const took of ['999ms', '1s', '1s']) {
    assert.equal(measured.state, 'closed')
    await measured.call(() => clock.advance(took))
  }
  assert.deepEqual([measured.state, measured.reason], ['open', 'slow_rate'])
  const told = new Breaker('b', policy)
  told.acquire().success('1s')
  told.acquire().success(1000)
  assert.equal(told.reason, 'slow_rate')
})

test('hooks say what a result means', async () => {
  const classify = ({ value, error }) =>
    value === 500 ? 'failure' : value === 404 || error === 404 ? 'ignored' : error === 'fine' ? 'success' : undefined
  const state = async fn => {
    const breaker = new Breaker('b', { consecutiveFailures: 1, classify, ignore: TypeError })
    await breaker.call(fn).catch(() => {})
    return breaker.state
  }
  assert.equal(await state(() => 500), 'open')
  for (const value of [200, 404]) assert.equal(await state(() => value), 'closed')
  for (const error of [404, 'fine', new TypeError()]) assert.equal(await state(() => Promise.reject(error)), 'closed')
  assert.equal(await state(() => Promise.reject(new Error())), 'open')
  assert.equal(await new Breaker('b', { classify }).call(() => 500), 500)
})

/** A generator of numbers below n, the same each time. */
function numbers(seed) {
  return n => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return Math.floor((seed / 2 ** 32) * n)
  }
}

const policies = {
  'a window of calls': { window: { calls: 12 }, minimumCalls: 6 },
  'a window of time': { window: { time: '1s', buckets: 10 }, minimumCalls: 6 },
  'a window of time and slow calls': {
    window: { time: '1s', buckets: 4 },
    minimumCalls: 6,
    slowCall: '20ms',
    slowRate: 0.6,
  },
  'failures in a row': { consecutiveFailures: 4 },
  'the defaults': { minimumCalls: undefined },
}
for (const [name, policy] of Object.entries(policies)) {
  test(`successes in place count like the core's own: ${name}`, async t => {
    // The same calls at the same times on JavaScript's clock, where successes are added in place, and on
    // a manual one, where the core counts each.
    const tick = fakeTime(t)
    const clock = new ManualClock()
    const common = { ...policy, cooldown: '50ms', cooldownMax: '400ms' }
    const pairs = [
      [new Breaker('b', { ...common, seed: 1 }), new Breaker('b', { ...common, seed: 1, clock })],
      [
        new Guard('g', { breaker: common, retry: false, seed: 1 }),
        new Guard('g', { breaker: common, retry: false, seed: 1, clock }),
      ],
    ]
    for (const [host, manual] of pairs) {
      const below = numbers(7)
      const run = (guarded, fail, took, move) =>
        guarded
          .call(() => {
            move(took)
            if (fail) throw new Error()
          })
          .then(
            () => 'ok',
            error => error.code ?? 'failed',
          )
      const state = guarded => guarded.breaker ?? guarded
      const seen = new Set()
      // Health, failures and slowness alternate, so that runs of each are long.
      for (let step = 0; step < 1500; step++) {
        const pause = below(40) === 0 ? below(1500) : below(25)
        const phase = Math.floor(step / 200) % 3
        const [fail, took] = [below(100) < (phase === 1 ? 90 : 4), phase === 2 ? 10 + below(30) : below(15)]
        tick(pause)
        clock.advance(pause)
        const results = [await run(host, fail, took, tick), await run(manual, fail, took, by => clock.advance(by))]
        assert.equal(results[0], results[1], `step ${step}`)
        assert.equal(state(host).state, state(manual).state, `step ${step}`)
        assert.equal(state(host).reason, state(manual).reason, `step ${step}`)
        seen.add(`${state(host).state} ${results[0]}`)
      }
      assert.ok(seen.has('open failed') && seen.has('closed ok') && seen.has('open BREAKER_OPEN'), [...seen].join())
    }
  })
}

test('a success of an epoch that is over is late, also where it would be added in place', async () => {
  for (const guarded of [
    new Breaker('b', { window: { calls: 5 } }),
    new Guard('g', { breaker: { window: { time: '24h' } } }),
  ]) {
    const breaker = guarded.breaker ?? guarded
    await guarded.call(() => 1)
    const { promise, resolve } = deferred()
    const call = guarded.call(() => promise)
    breaker.reset()
    resolve()
    await call
    assert.equal(breaker.late, 1)
  }
})

test('several probes must succeed, where the policy says so', async t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const breaker = new Breaker('b', { consecutiveFailures: 1, closeAfter: 3 })
  breaker.forceOpen()
  breaker.automatic()
  now += 1
  for (let probe = 1; probe <= 3; probe++) {
    assert.equal(breaker.state, probe === 1 ? 'open' : 'half_open')
    await breaker.call(() => 1)
  }
  assert.equal(breaker.state, 'closed')
})

test('the first success of an epoch counts in its window', async () => {
  for (const window of [{ time: '24h' }, { calls: 9 }]) {
    const breaker = new Breaker('b', { window, minimumCalls: 2, failureRate: 0.5 })
    await breaker.call(() => 1)
    breaker.reset()
    await breaker.call(() => 1)
    await rejection(
      breaker.call(() => {
        throw new Error()
      }),
    )
    assert.equal(breaker.reason, 'failure_rate')
  }
})

test('a lost probe comes back when it is collected', () => {
  const script = `
    const { Breaker, ManualClock } = require('overcurrent')
    const clock = new ManualClock()
    const breaker = new Breaker('b', { consecutiveFailures: 1, clock })
    breaker.trip(1000)
    clock.advance(1000);
    (() => { breaker.acquire() })()
    let turns = 0
    const look = () => {
      globalThis.gc()
      let error
      try { breaker.acquire().success() } catch (thrown) { error = thrown }
      if (error === undefined) return process.stdout.write(breaker.state)
      if (++turns < 100) setImmediate(look)
    }
    look()`
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([stdout, stderr], ['closed', ''])
})

test('objects may be collected in any order', () => {
  const script = `
    const { Breaker, Guard, Retry } = require('overcurrent')
    const pending = []
    for (let n = 0; n < 2000; n++) {
      const guard = new Guard('g', { breaker: new Breaker('b'), retry: new Retry({ budget: true }), ref: true })
      pending.push(guard.call(() => new Promise(setImmediate).then(() => { if (n % 3 === 0) throw 1 })).catch(() => {}))
      if (n % 500 === 0) globalThis.gc()
    }
    const breakers = pending.map(() => new Breaker())
    Promise.all(pending).then(() => {
      globalThis.gc()
      setImmediate(() => { globalThis.gc(); process.stdout.write(breakers.every(breaker => breaker.state === 'closed') ? 'fine' : 'mixed up') })
    })`
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([stdout, stderr], ['fine', ''])
})

test('a rejection is unhandled only where nobody has listened by the end of the turn', async t => {
  const breaker = new Breaker('b')
  breaker.forceOpen()
  const guard = new Guard('g', { breaker })
  const unhandled = []
  const hear = error => unhandled.push(error)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', hear)
  t.after(() => {
    process.removeAllListeners('unhandledRejection')
    for (const other of others) process.on('unhandledRejection', other)
  })
  for (const it of [breaker, guard]) {
    const order = []
    const listened = it.call(() => 1).catch(() => order.push('rejected'))
    await Promise.resolve().then(() => order.push('a microtask'))
    await listened
    assert.deepEqual(order, ['a microtask', 'rejected'])
    void it.call(() => 1)
    await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual(unhandled.splice(0).map(({ code }) => code), ['BREAKER_OPEN'])
  }
})

test('options in the place of its name are refused', () => {
  for (const name of [{ failureRate: 0.5 }, null, 5])
    assert.throws(() => new Breaker(name), { code: 'INVALID_POLICY', path: 'name', rule: 'must be a text' })
  assert.equal(new Breaker(undefined, quick).name, 'breaker')
})
