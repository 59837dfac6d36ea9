/** On whose behalf calls are made: the rules of the headers, and what carries the context where. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Breaker, Guard, ManualClock, Retry, TraceContext, constant, logEvents, subscribe } from 'overcurrent'
import { captureEvents } from 'overcurrent/testing'
import { deferred, fakeTime, rejection, turn } from './tools.mjs'

const cases = JSON.parse(readFileSync(new URL('../trace-context.json', import.meta.url), 'utf8'))

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
/** A context of its own trace, known by a correlation id. */
const of = id => TraceContext.root().withCorrelationId(id)
const fail = () => {
  throw new Error('no')
}

test('there are cases', () => assert.ok(cases.length >= 60))

for (const { name, in: headers, expect, out } of cases) {
  test(`headers: ${name}`, () => {
    const context = TraceContext.extract(headers)
    const { trace_id, span_id, sampled, random, tracestate, baggage, correlation_id } = expect ?? {}
    const expected = [trace_id, span_id, sampled ?? false, random ?? false, tracestate, baggage, correlation_id]
    const { traceId, spanId, correlationId } = context
    const came = [traceId, spanId, context.sampled, context.random, context.tracestate, context.baggage, correlationId]
    assert.deepEqual(came, expected.map(value => value ?? undefined))
    assert.deepEqual([...context.headers()], out)
    assert.deepEqual(context.inject(), Object.fromEntries(out))
  })
}

test('headers are taken, and written, in every form that is in use', () => {
  const traceparent = `00-${TRACE}-${SPAN}-01`
  const all = { TraceParent: traceparent, 'x-correlation-id': 'order-7', accept: '*/*', absent: undefined, length: 7 }
  const plain = Object.entries(all).filter(([, value]) => typeof value === 'string')
  for (const headers of [all, { ...all, TraceParent: [traceparent] }, new Headers(plain), new Map(plain), plain]) {
    const { traceId, correlationId } = TraceContext.extract(headers)
    assert.deepEqual([traceId, correlationId], [TRACE, 'order-7'])
  }
  const context = TraceContext.extract(all)
  const written = { traceparent, 'x-correlation-id': 'order-7' }
  for (const headers of [new Headers({ traceparent: 'old' }), new Map()]) {
    assert.equal(context.inject(headers), headers)
    assert.deepEqual(Object.fromEntries(headers), written)
  }
  assert.deepEqual(context.inject({ accept: '*/*' }), { accept: '*/*', ...written })
  for (const wrong of [undefined, null, 'traceparent']) {
    assert.throws(() => TraceContext.extract(wrong), { name: 'InvalidPolicy', path: 'headers' })
  }
})

test('what changes something gives another one', () => {
  const root = TraceContext.root()
  assert.match(root.traceId, /^[0-9a-f]{32}$/)
  const unrecorded = { sampled: false }
  const roots = [root, TraceContext.extract({}).orRoot(), TraceContext.root(unrecorded), TraceContext.extract({}).orRoot(unrecorded)]
  assert.deepEqual(
    roots.map(({ sampled, random }) => [sampled, random]),
    [[true, true], [true, true], [false, true], [false, true]],
  )
  assert.deepEqual([root.orRoot(unrecorded).sampled, TraceContext.root({ sampled: undefined }).sampled], [true, true])
  const refused = { name: 'InvalidPolicy', path: 'sampled', rule: 'must be true or false' }
  assert.throws(() => TraceContext.root({ sampled: 'no' }), refused)
  assert.throws(() => TraceContext.root({ sample: false }), { name: 'InvalidPolicy', path: 'sample' })
  for (const options of [false, null]) assert.throws(() => root.orRoot(options), { name: 'InvalidPolicy', path: 'options' })
  const child = root.child()
  assert.equal(child.traceId, root.traceId)
  assert.notEqual(child.spanId, root.spanId)
  const named = TraceContext.extract({}).withCorrelationId('order-7')
  assert.deepEqual([named.traceId, named.orRoot().correlationId, root.orRoot().traceId], [undefined, 'order-7', root.traceId])
  assert.equal(JSON.parse(JSON.stringify(named)).correlationId, 'order-7')
  for (const [id, rule] of [
    ['two words', 'must be 1 to 128 visible ASCII characters'],
    [7, 'must be a text'],
  ]) {
    assert.throws(() => root.withCorrelationId(id), { name: 'InvalidPolicy', path: 'correlationId', rule })
  }
})

test('a context holds across awaits, and ends with what it was run for', async () => {
  assert.equal(TraceContext.current(), undefined)
  const [outer, inner] = [of('outer'), of('inner')]
  await outer.run(async () => {
    await turn()
    assert.equal(TraceContext.current(), outer)
    assert.equal(await inner.run(async () => (await turn(), TraceContext.current())), inner)
    assert.equal(TraceContext.current(), outer)
  })
  assert.equal(TraceContext.current(), undefined)
  assert.throws(() => outer.run(), TypeError)
})

/** The identifiers of an event. */
const ids = ({ traceId, spanId, correlationId }) => [traceId, spanId, correlationId]

test('each event of many calls at once has the identifiers of its own call', async () => {
  const guard = new Guard('payments', {
    retry: { maxAttempts: 3, backoff: 'none', budget: false },
    breaker: { consecutiveFailures: 100 },
  })
  const contexts = Array.from({ length: 20 }, (_, index) => of(`order-${index}`))
  const heard = await captureEvents({ guard }, async events => {
    const calls = contexts.map(context =>
      context.run(() => guard.call(async () => (await turn(), fail())).catch(() => {})),
    )
    const nobodys = guard.call(async () => (await turn(), fail())).catch(() => {})
    await Promise.all([...calls, nobodys])
    return events
  })
  for (const context of contexts) {
    const own = heard.filter(({ correlationId }) => correlationId === context.correlationId)
    assert.deepEqual(own.map(({ name }) => name), ['retry', 'retry', 'giveUp'])
    for (const event of own) assert.deepEqual(ids(event), ids(context))
  }
  assert.deepEqual(heard.filter(({ traceId }) => traceId === undefined).map(ids), Array(3).fill(Array(3).fill(undefined)))
})

test('a timeout, a wait and a cancellation have them too, whoever ends them', async t => {
  const tick = fakeTime(t)
  const policy = { attemptTimeout: '1s', retry: { maxAttempts: 2, backoff: constant('1s'), jitter: 'none' } }
  const guard = new Guard('g', { ...policy, breaker: { consecutiveFailures: 2 } })
  const heard = []
  const subscription = subscribe(event => heard.push([event.name, event.correlationId, TraceContext.current()?.correlationId]))
  const caller = new AbortController()
  const hang = () => new Promise(() => {})
  const [one, other] = [of('one'), of('other')]
  const call = one.run(() => guard.call(hang).catch(() => {}))
  other.run(() => tick(1000))
  other.run(() => tick(1000))
  other.run(() => tick(1000))
  await call
  assert.deepEqual(heard.splice(0), [
    ...['timeout', 'retry', 'timeout', 'stateChange', 'giveUp'].map(name => [name, 'one', 'one']),
  ])
  // Cancelled after half of its time, a call counts; one that nothing bounds too.
  const endless = new Guard('e', { deadline: false, attemptTimeout: false, retry: false, breaker: { consecutiveFailures: 1, abandonAfter: '1s', probeTimeout: '1s' } })
  const abandoned = one.run(() => endless.call(hang, { signal: caller.signal }).catch(() => {}))
  tick(1000)
  other.run(() => caller.abort())
  await abandoned
  assert.deepEqual(heard, [['stateChange', 'one', 'one']])
  subscription.close()
})

test('breakers, permits, commands and retries alone have those of whoever asks', () => {
  const clock = new ManualClock()
  const breaker = new Breaker('b', { consecutiveFailures: 1, clock })
  const heard = []
  const subscription = subscribe(({ name, correlationId }) => heard.push([name, correlationId]))
  const permit = of('asks').run(() => breaker.acquire())
  of('records').run(() => permit.failure())
  of('rejected').run(() => assert.throws(() => breaker.acquire()))
  assert.throws(() => breaker.acquire())
  of('operator').run(() => (breaker.reset(), breaker.trip(), breaker.restore(breaker.snapshot())))
  of('retries').run(() => new Retry({ clock }).start().failed())
  new Retry({ clock }).start().failed()
  // Of what was refused nothing is left.
  of('refused').run(() => assert.throws(() => breaker.trip('never')))
  breaker.trip()
  subscription.close()
  assert.deepEqual(heard, [
    ['stateChange', 'records'],
    ['reject', 'rejected'],
    ['reject', undefined],
    ...Array(3).fill(['stateChange', 'operator']),
    ['retry', 'retries'],
    ['retry', undefined],
    ['stateChange', undefined],
  ])
})

test('what another thread decides is not on behalf of what runs here', async t => {
  const guard = new Guard('g')
  const worker = new Worker(new URL('fleet.mjs', import.meta.url), { workerData: { guard: guard.share() } })
  t.after(() => worker.terminate())
  const { promise, resolve } = deferred()
  guard.once('stateChange', resolve)
  const alive = setInterval(() => {}, 1000)
  const event = await of('here').run(() => {
    worker.postMessage({ id: 1, task: 'trip', argument: '1h' })
    return promise
  })
  clearInterval(alive)
  assert.deepEqual(ids(event), [undefined, undefined, undefined])
})

test('a line of the log says whose call it was', async () => {
  const lines = []
  const keep = (fields, message) => lines.push([message, fields])
  const guard = new Guard('payments', { retry: false })
  const log = logEvents({ debug: keep, info: keep, warn: keep }, { guard })
  const context = of('order-7')
  await context.run(() => rejection(guard.call(fail)))
  log.close()
  const [[message, { guard: name, attempt, ...fields }]] = lines
  assert.deepEqual([message, name, attempt], ['overcurrent.giveUp', 'payments', 1])
  assert.deepEqual(ids(fields), ids(context))
})

test('contexts are freed, but for one that was in use last', () => {
  const script = `
    const { Guard, TraceContext, subscribe } = require('overcurrent')
    const guard = new Guard('g', { retry: false })
    subscribe(() => {})
    const gone = Array.from({ length: 100 }, () => {
      const context = TraceContext.root()
      context.run(() => guard.call(() => { throw new Error() }).catch(() => {}))
      return new WeakRef(context)
    })
    setImmediate(async () => {
      for (let turns = 0; turns < 10; turns++) {
        globalThis.gc()
        await new Promise(setImmediate)
      }
      const left = gone.filter(context => context.deref() !== undefined).length
      process.stdout.write(left <= 1 ? 'gone' : 'kept ' + left)
    })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, 'gone', ''])
})
