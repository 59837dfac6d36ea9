/** What is heard of decisions: the scenarios that every language replays, with what is counted in them, and who hears when. */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawnSync } from 'node:child_process'
import diagnostics from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Breaker, Guard, ManualClock, Retry, constant, logEvents, subscribe } from 'overcurrent'
import { deferred, fakeTime, rejection, turn } from './tools.mjs'

const scenarios = JSON.parse(readFileSync(new URL('../scenarios/events.json', import.meta.url), 'utf8'))

const camel = name => name.replace(/_(.)/g, (_, initial) => initial.toUpperCase())

/** Plain data with its names in the case of JavaScript. */
function renamed(data) {
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return data
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [camel(name), renamed(value)]))
}

/** A field as JavaScript has it: durations are milliseconds, what is absent is undefined. */
function field(written) {
  const [, digits, unit] = /^(\d+)(ms|s)$/.exec(written) ?? []
  if (digits !== undefined) return Number(digits) * { ms: 1, s: 1000 }[unit]
  return written ?? undefined
}

/** The events of a step, each as its name and its fields in their order. */
function expected({ events }) {
  return events.map(({ event, ...fields }) => [
    ['name', camel(event)],
    ...Object.entries(fields).map(([name, value]) => [camel(name), field(value)]),
  ])
}

/** What a step must log: the method, and the fields that are there. */
function logged({ levels = [], ...step }) {
  const events = expected(step)
  assert.equal(levels.length, events.length)
  return events.flatMap(([[, name], ...fields], index) =>
    levels[index] === null
      ? []
      : [
          [
            levels[index] === 'warning' ? 'warn' : levels[index],
            { event: name, ...Object.fromEntries(fields.filter(([, value]) => value !== undefined)) },
          ],
        ],
  )
}

/** Does one step. */
async function take(step, guard, clock, permits) {
  const { breaker } = guard
  const word = camel(step.do)
  if (word === 'call') {
    const attempts = [...(step.attempts ?? [])]
    const attempt = () => {
      const { is, took = 0, hint } = attempts.shift()
      clock.advance(took)
      if (is !== 'success') throw { is, hint }
    }
    await guard.call(attempt).catch(() => {})
    assert.deepEqual(attempts, [])
  } else if (word === 'acquire') {
    try {
      permits.set(step.permit, breaker.acquire())
    } catch (error) {
      assert.equal(error.code, 'BREAKER_OPEN')
    }
  } else if (word === 'restore') {
    breaker.restore(step.snapshot)
  } else if (permits.has(step.permit)) {
    permits.get(step.permit)[word]()
  } else {
    breaker[word](step.for)
  }
}

const classify = ({ error }) => {
  if (error === undefined) return undefined
  const { is, hint } = error
  return is === 'ignored' ? 'ignored' : { retryable: is === 'failure', hint }
}

for (const { name, seed, durations, guard: policy, retry: retryPolicy, steps, metrics, explain } of scenarios) {
  test(name, async () => {
    const clock = new ManualClock()
    const heard = []
    const hear = event => heard.push(Object.entries(event))
    const lines = []
    const keep = method => fields => lines.push([method, fields])
    const logger = { debug: keep('debug'), info: keep('info'), warn: keep('warn') }
    const check = step => {
      assert.deepEqual(heard.splice(0), expected(step), `${step.do} at ${step.at}`)
      assert.deepEqual(lines.splice(0), logged(step), `${step.do} at ${step.at}`)
    }
    if (retryPolicy !== undefined) {
      const retry = new Retry({ ...renamed(retryPolicy), clock, seed })
      let call
      const subscription = subscribe(hear)
      const log = logEvents(logger)
      for (const step of steps) {
        clock.set(step.at)
        if (step.do === 'start') call = retry.start()
        else call.failed({ retryable: step.do === 'failure' })
        check(step)
      }
      subscription.close()
      log.close()
      return
    }
    const document = JSON.stringify({ policy: { payments: policy } })
    const guard = Guard.fromText(document, 'payments', { format: 'json', clock, seed, durations, classify })
    const permits = new Map()
    const subscription = subscribe(hear, { guard })
    const log = logEvents(logger, { guard })
    for (const step of steps) {
      clock.set(step.at)
      await take(step, guard, clock, permits)
      check(step)
    }
    subscription.close()
    log.close()
    assert.equal(subscription.dropped, 0)
    const samples = guard.metrics().prometheus().split('\n')
    assert.deepEqual(samples.filter(line => !/^#|^$| 0$/.test(line)), metrics)
    assert.deepEqual(guard.explain().split('\n'), explain)
  })
}

const fail = () => {
  throw new Error('no')
}
/** A guard that opens after one failure. */
const quick = options => new Guard('g', { retry: false, breaker: { consecutiveFailures: 1 }, ...options })
const names = events => events.map(({ name }) => name)

test('a guard hears of itself and its breaker, and a breaker of itself', async () => {
  const breaker = new Breaker('shared', { consecutiveFailures: 2 })
  const [one, other] = [quick({ breaker }), quick({ breaker })]
  const heard = { one: [], other: [], breaker: [] }
  for (const name of ['stateChange', 'reject', 'giveUp']) one.on(name, event => heard.one.push(event))
  for (const name of ['stateChange', 'reject', 'giveUp']) other.on(name, event => heard.other.push(event))
  for (const name of ['stateChange', 'reject']) breaker.on(name, event => heard.breaker.push(event))
  await rejection(one.call(fail))
  await rejection(other.call(fail))
  await rejection(one.call(fail))
  await rejection(breaker.call(fail))
  assert.deepEqual(names(heard.one), ['giveUp', 'stateChange', 'reject', 'reject'])
  assert.deepEqual(names(heard.other), ['stateChange', 'giveUp', 'reject', 'reject'])
  assert.deepEqual(names(heard.breaker), ['stateChange', 'reject', 'reject'])
  assert.deepEqual(
    heard.breaker.slice(1).map(({ guard, nth }) => [guard, nth]),
    [
      ['g', 1],
      [undefined, 2],
    ],
  )
})

test('`once` hears once, `off` hears no more, and other events are not heard', async () => {
  const guard = quick()
  const heard = []
  const all = event => heard.push(['all', event.nth])
  assert.equal(
    guard.on('reject', all).once('reject', ({ nth }) => heard.push(['once', nth])),
    guard,
  )
  guard.breaker.forceOpen()
  for (let calls = 0; calls < 2; calls++) await rejection(guard.call(fail))
  guard.off('reject', all)
  await rejection(guard.call(fail))
  assert.deepEqual(heard, [
    ['all', 1],
    ['once', 1],
    ['all', 2],
  ])
  guard.breaker.once('stateChange', ({ old }) => heard.push(old))
  guard.breaker.reset()
  guard.breaker.trip()
  assert.deepEqual(heard.slice(3), ['forced_open'])
})

test('who listens no more costs nothing more: rejections are counted while somebody in the process listens', () => {
  const script = `
    const diagnostics = require('node:diagnostics_channel')
    const { Guard } = require('overcurrent')
    const heard = []
    const hear = ({ nth }) => heard.push(nth)
    const guard = new Guard('g')
    guard.breaker.forceOpen()
    const reject = () => guard.call(() => {}).catch(() => {})
    const channel = 'overcurrent:reject'
    const ways = [
      [() => guard.on('reject', hear), () => guard.off('reject', hear)],
      [() => guard.once('reject', hear), () => {}],
      [() => diagnostics.subscribe(channel, hear), () => diagnostics.unsubscribe(channel, hear)],
    ]
    for (const [begin, end] of [...ways, ways[0]]) {
      begin()
      reject()
      end()
      reject()
      reject()
    }
    process.stdout.write(heard.join())`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  assert.deepEqual([stdout, stderr], ['1,2,3,4', ''])
})

test('every way to a decision tells of it, at once', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', {
    deadline: '10s',
    attemptTimeout: '2s',
    retry: { maxAttempts: 2, backoff: constant('1s'), jitter: 'none', budget: { ratio: 0, minPerSecond: 0, burst: 1 } },
    breaker: { consecutiveFailures: 9 },
  })
  const heard = []
  const subscription = subscribe(event => heard.push(event), { guard })
  const told = () => names(heard.splice(0))
  const call = guard.call(() => new Promise(() => {}))
  tick(2000)
  assert.deepEqual(told(), ['timeout', 'retry'])
  tick(1000)
  tick(2000)
  assert.deepEqual(told(), ['timeout', 'giveUp'])
  await rejection(call)
  await rejection(guard.call(fail))
  assert.deepEqual(told(), ['budgetExhausted', 'giveUp'])

  const late = guard.breaker.acquire()
  const { promise, resolve } = deferred()
  const pending = guard.call(() => promise)
  guard.breaker.trip('1s')
  assert.deepEqual(told(), ['stateChange'])
  late.success()
  assert.deepEqual(told(), ['lateResult'])
  resolve()
  await pending
  assert.deepEqual(told(), ['lateResult'])
  const rejected = guard.call(fail)
  assert.deepEqual(told(), ['reject'])
  await rejection(rejected)
  assert.throws(() => guard.breaker.acquire())
  assert.deepEqual(told(), ['reject'])
  tick(1000)
  assert.equal(await guard.call(() => 'up'), 'up')
  assert.deepEqual(told(), ['stateChange', 'stateChange'])
  guard.breaker.restore(guard.breaker.snapshot())
  guard.breaker.forceClosed()
  guard.breaker.automatic()
  assert.deepEqual(told(), Array(3).fill('stateChange'))
  subscription.close()
  guard.breaker.reset()
  assert.deepEqual(told(), [])
})

test('a cancelled call that had run long tells of what it opened', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '10s', breaker: { consecutiveFailures: 1 } })
  const heard = []
  guard.on('stateChange', ({ new: state }) => heard.push(state))
  for (const healthy of [true, false]) {
    const controller = new AbortController()
    const call = guard.call(() => new Promise(() => {}), { signal: controller.signal })
    clock.advance(healthy ? '1s' : '5s')
    controller.abort()
    await rejection(call)
  }
  assert.deepEqual(heard, ['open'])
})

test('listeners have heard before the call comes back, in its context', async t => {
  const tick = fakeTime(t)
  const store = new AsyncLocalStorage()
  const guard = new Guard('g', { attemptTimeout: '1s', retry: { maxAttempts: 2, backoff: constant('1s'), jitter: 'none' } })
  const heard = []
  for (const name of ['timeout', 'retry', 'giveUp']) guard.on(name, event => heard.push([event.name, store.getStore()]))
  const calls = ['first', 'second'].map(name =>
    store.run(name, () => guard.call(() => new Promise(() => {})).catch(() => heard.push(['back', name]))),
  )
  for (let seconds = 0; seconds < 3; seconds++) {
    tick(1000)
    await turn()
  }
  await Promise.all(calls)
  for (const name of ['first', 'second'])
    assert.deepEqual(
      heard.filter(([, store]) => store === name).map(([event]) => event),
      ['timeout', 'retry', 'timeout', 'giveUp', 'back'],
    )
})

test('a listener that throws, or rejects, is reported once and changes nothing', async t => {
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  const guard = quick()
  const heard = []
  guard
    .on('reject', fail)
    .on('reject', async () => fail())
    .on('reject', ({ nth }) => heard.push(nth))
  guard.breaker.forceOpen()
  for (let calls = 0; calls < 3; calls++) assert.equal((await rejection(guard.call(fail))).code, 'BREAKER_OPEN')
  await turn()
  assert.deepEqual(heard, [1, 2, 3])
  assert.equal(warnings.mock.callCount(), 1)
  const [message, { code }] = warnings.mock.calls[0].arguments
  assert.deepEqual(
    [message, code],
    ['the listener of `reject` failed and is passed over: no', 'OVERCURRENT_LISTENER'],
  )
})

test('what a listener decides is heard later, and cannot hold the thread up', async () => {
  const guard = quick()
  const heard = []
  let inside = false
  guard.on('reject', ({ nth }) => {
    assert.equal(inside, false)
    inside = true
    heard.push(nth)
    if (nth < 5) guard.call(fail).catch(() => {})
    inside = false
  })
  guard.breaker.forceOpen()
  await rejection(guard.call(fail))
  assert.deepEqual(heard, [1])
  for (let turns = 0; turns < 20 && heard.length < 5; turns++) await turn()
  assert.deepEqual(heard, [1, 2, 3, 4, 5])
})

test('a listener may end the call, the guard or its own listening', async () => {
  const guard = new Guard('g', { retry: { backoff: constant('1h'), jitter: 'none' }, deadline: '2h' })
  const controller = new AbortController()
  const heard = []
  const end = ({ name }) => {
    heard.push(name)
    controller.abort('by a listener')
    guard.off('retry', end)
    guard[Symbol.dispose]()
  }
  guard.on('retry', end)
  assert.equal(await rejection(guard.call(fail, { signal: controller.signal })), 'by a listener')
  assert.equal((await rejection(guard.call(fail))).name, 'AbortError')
  await guard.drain()
  assert.deepEqual(heard, ['retry'])
})

test('each event has its diagnostics channel', async () => {
  const guard = quick({ retry: { backoff: 'none', maxAttempts: 2 } })
  const heard = []
  const hear = (message, name) => heard.push([name, message.name])
  const channels = ['stateChange', 'retry', 'reject', 'giveUp'].map(name => `overcurrent:${name}`)
  for (const name of channels) diagnostics.subscribe(name, hear)
  try {
    await rejection(guard.call(fail))
    await rejection(guard.call(fail))
    guard.breaker.reset()
  } finally {
    for (const name of channels) diagnostics.unsubscribe(name, hear)
  }
  const expected = ['stateChange', 'giveUp', 'reject', 'stateChange']
  assert.deepEqual(
    heard,
    expected.map(name => [`overcurrent:${name}`, name]),
  )
  guard.breaker.trip()
  assert.equal(heard.length, expected.length)

  // A retry alone has only them.
  diagnostics.subscribe('overcurrent:retry', hear)
  new Retry({ clock: new ManualClock() }).start().failed()
  diagnostics.unsubscribe('overcurrent:retry', hear)
  assert.deepEqual(heard.at(-1), ['overcurrent:retry', 'retry'])
})

test('what other threads decide about a shared guard is heard too, soon', async t => {
  const guard = quick()
  const worker = new Worker(new URL('fleet.mjs', import.meta.url), { workerData: { guard: guard.share() } })
  t.after(() => worker.terminate())
  const { promise, resolve } = deferred()
  guard.once('stateChange', resolve)
  worker.postMessage({ id: 1, task: 'trip', argument: '1h' })
  // Nothing else is done here that could tell of it.
  const alive = setInterval(() => {}, 1000)
  const { old, new: state, openFor } = await promise
  clearInterval(alive)
  assert.deepEqual([old, state, Math.floor(openFor)], ['closed', 'open', 3_600_000])
})

test('a call that has waited is kept by nobody', () => {
  const script = `
    const { Guard } = require('overcurrent')
    const guard = new Guard('g', { ref: true, retry: { backoff: { constant: { delay: 1 } } } })
    const call = () => {
      const fn = ({ attempt }) => { if (attempt < 3) throw new Error() }
      const ref = new WeakRef(fn)
      return guard.call(fn).then(() => ref)
    }
    call().then(async ref => {
      for (let turns = 0; turns < 10; turns++) {
        globalThis.gc()
        await new Promise(setImmediate)
      }
      process.stdout.write(ref.deref() === undefined && guard.breaker.state === 'closed' ? 'gone' : 'kept')
    })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, 'gone', ''])
})

test('listening keeps neither the process nor a guard alive', () => {
  const script = `
    const { Guard, subscribe } = require('overcurrent')
    subscribe(() => {})
    const shared = new Guard('shared').on('reject', () => {})
    shared.share()
    const gone = Array.from({ length: 100 }, () => {
      const guard = new Guard('g').on('reject', () => guard.name)
      return new WeakRef(guard)
    })
    setImmediate(async () => {
      for (let turns = 0; turns < 10; turns++) {
        globalThis.gc()
        await new Promise(setImmediate)
      }
      process.stdout.write(gone.every(guard => guard.deref() === undefined) ? 'gone' : 'kept')
    })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, 'gone', ''])
})

test('what cannot be heard is refused', () => {
  const refused = (make, path, rule) => assert.throws(make, { name: 'InvalidPolicy', path, rule })
  const guard = new Guard('g')
  const of = 'must be one of stateChange, retry, reject, giveUp, timeout, lateResult, budgetExhausted'
  refused(() => guard.on('open', () => {}), 'event', of)
  refused(() => guard.once('eviction', () => {}), 'event', of)
  refused(() => guard.breaker.on('retry', () => {}), 'event', 'must be one of stateChange, reject, lateResult')
  refused(() => guard.on('reject'), 'listener', 'must be a function')
  refused(() => subscribe({}), 'listener', 'must be a function')
  refused(() => subscribe(() => {}, { guard: {} }), 'guard', 'must be a `Guard`')
  refused(() => subscribe(() => {}, { breaker: guard }), 'breaker', 'must be a `Breaker`')
  refused(() => subscribe(() => {}, { guard, breaker: guard.breaker }), 'breaker', 'cannot be set beside `guard`')
  // Each of them has fields that a source has, too, or none of them: it would be heard of less than was meant, or of more.
  refused(() => subscribe(() => {}, guard), 'source', 'must be `{ guard }`')
  refused(() => subscribe(() => {}, guard.breaker), 'source', 'must be `{ breaker }`')
  refused(() => subscribe(() => {}, { gaurd: guard }), 'gaurd', 'is not a field here, only `guard`, `breaker` can stand here')
  refused(() => subscribe(() => {}, null), 'source', 'must be an object of `guard`, `breaker`')
})
