/** Spans of attempts, by OpenTelemetry's own SDK. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { Breaker, Guard, ManualClock, Retry, TraceContext, callInfo, compose, constant, subscribe } from 'overcurrent'
import { instrument } from 'overcurrent/opentelemetry'
import { disabled } from 'overcurrent/testing'
import { fakeTime, rejection, turn } from './tools.mjs'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
const tracer = provider.getTracer('test')

let tracing
beforeEach(() => {
  tracing = instrument()
})
afterEach(() => {
  tracing.close()
  exporter.reset()
})

/** Runs `fn` in a span of the caller's, and ends it; answers that span's identifiers. */
async function within(name, fn) {
  return tracer.startActiveSpan(name, async span => {
    try {
      await fn(span)
    } finally {
      span.end()
    }
    return span.spanContext()
  })
}

/** What has been exported, the caller's spans left out. */
const attempts = () => exporter.getFinishedSpans().filter(({ name }) => name.endsWith(' attempt'))
const exported = name => exporter.getFinishedSpans().find(span => span.name === name)
const events = span => span.events.map(({ name }) => name.replace('overcurrent.', ''))
const fail = () => {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
}
const policy = { retry: { maxAttempts: 3, backoff: constant('1s'), jitter: 'none', budget: false } }
const guarded = options => new Guard('payments', { clock: new ManualClock(), ...policy, ...options })

test('each attempt is a child of the caller’s span, and active while it runs', async () => {
  const guard = guarded()
  const seen = []
  const caller = await within('checkout', () =>
    guard.call(async ({ attempt }) => {
      seen.push(trace.getActiveSpan().spanContext().spanId)
      await turn()
      seen.push(trace.getActiveSpan().spanContext().spanId)
      tracer.startSpan(`request ${attempt}`).end()
      if (attempt < 3) fail()
    }),
  )
  const spans = attempts()
  const ids = spans.map(span => span.spanContext().spanId)
  assert.deepEqual(seen, ids.flatMap(id => [id, id]))
  assert.equal(new Set(ids).size, 3)
  for (const [index, span] of spans.entries()) {
    assert.deepEqual([span.name, span.kind, span.instrumentationScope.name], ['payments attempt', SpanKind.CLIENT, 'overcurrent'])
    assert.equal(span.parentSpanContext.spanId, caller.spanId)
    assert.equal(span.spanContext().traceId, caller.traceId)
    const request = exported(`request ${index + 1}`)
    assert.equal(request.parentSpanContext.spanId, ids[index])
  }
  const of = { 'overcurrent.guard': 'payments', 'overcurrent.breaker': 'payments', 'overcurrent.breaker.state': 'closed' }
  const failed = { 'overcurrent.outcome': 'failure', 'error.type': 'ECONNREFUSED' }
  assert.deepEqual(
    spans.map(({ attributes }) => attributes),
    [
      { ...of, 'overcurrent.attempt': 1, ...failed },
      { ...of, 'overcurrent.attempt': 2, 'http.request.resend_count': 1, ...failed },
      { ...of, 'overcurrent.attempt': 3, 'http.request.resend_count': 2, 'overcurrent.outcome': 'success' },
    ],
  )
  const { ERROR, UNSET } = SpanStatusCode
  assert.deepEqual(spans.map(({ status }) => status.code), [ERROR, ERROR, UNSET])
})

test('what was decided stands with the attempt, and with the caller where none runs', async () => {
  const guard = guarded({ breaker: { consecutiveFailures: 2, cooldown: '5s', cooldownJitter: 0 } })
  await within('first', () => rejection(guard.call(fail)))
  await within('second', () => rejection(guard.call(fail)))
  await within('third', () => guard.breaker.reset())
  const [one, two] = attempts()
  assert.deepEqual([events(one), events(two)], [['retry'], ['state_change', 'give_up']])
  assert.deepEqual(one.events[0].attributes, {
    'overcurrent.guard': 'payments',
    'overcurrent.attempt': 1,
    'overcurrent.wait': 1,
    'overcurrent.origin': 'backoff',
  })
  assert.deepEqual(['first', 'second', 'third'].map(exported).map(events), [[], ['reject'], ['state_change']])
  const [reject] = exported('second').events
  assert.deepEqual([reject.attributes['overcurrent.reason'], reject.attributes['overcurrent.retry_after']], ['open', 5])
})

test('a breaker alone has spans of its name', async () => {
  const breaker = new Breaker('b', { consecutiveFailures: 1, ignore: TypeError })
  const seen = []
  const caller = await within('caller', async () => {
    assert.equal(
      await breaker.call(async () => {
        seen.push(trace.getActiveSpan().spanContext().spanId)
        await turn()
        seen.push(trace.getActiveSpan().spanContext().spanId)
        return 'well'
      }),
      'well',
    )
    assert.equal(await breaker.wrap(() => 'wrapped')(), 'wrapped')
    await rejection(breaker.call(() => Promise.reject(new TypeError())))
    await rejection(breaker.call(fail))
    await rejection(breaker.call(fail))
  })
  const spans = attempts()
  const of = { 'overcurrent.attempt': 1, 'overcurrent.breaker': 'b', 'overcurrent.breaker.state': 'closed' }
  const came = outcome => ({ ...of, 'overcurrent.outcome': outcome })
  assert.deepEqual(
    spans.map(({ name, attributes }) => [name, attributes]),
    [
      ['b attempt', came('success')],
      ['b attempt', came('success')],
      ['b attempt', { ...came('ignored'), 'error.type': 'TypeError' }],
      ['b attempt', { ...came('failure'), 'error.type': 'ECONNREFUSED' }],
    ],
  )
  assert.ok(spans.every(span => span.parentSpanContext.spanId === caller.spanId))
  assert.deepEqual(seen, Array(2).fill(spans[0].spanContext().spanId))
  assert.deepEqual(spans.map(events), [[], [], [], ['state_change']])
  assert.deepEqual(events(exported('caller')), ['reject'])
})

test('a retry alone has spans, and counts them', async () => {
  const retry = new Retry({ ...policy.retry, clock: new ManualClock(), ignore: TypeError })
  const calls = [
    () => retry.call(({ attempt }) => (attempt < 3 ? fail() : 'well')),
    () => retry.call(async () => fail(), { deadline: '1500ms' }),
    () => rejection(retry.call(() => Promise.reject(new TypeError()))),
  ]
  const caller = await within('caller', async () => {
    assert.equal(await calls[0](), 'well')
    assert.equal((await rejection(calls[1]())).code, 'ECONNREFUSED')
    await calls[2]()
  })
  const spans = attempts()
  assert.ok(spans.every(span => span.name === 'retry attempt' && span.parentSpanContext.spanId === caller.spanId))
  assert.deepEqual(
    spans.map(({ attributes }) => attributes['overcurrent.attempt']),
    [1, 2, 3, 1, 2, 1],
  )
  assert.deepEqual(spans[2].attributes, {
    'overcurrent.attempt': 3,
    'http.request.resend_count': 2,
    'overcurrent.outcome': 'success',
  })
  assert.deepEqual(spans.map(events), [['retry'], ['retry'], [], ['retry'], ['give_up'], []])
  assert.deepEqual(spans[0].events[0].attributes, {
    'overcurrent.attempt': 1,
    'overcurrent.wait': 1,
    'overcurrent.origin': 'backoff',
  })
  assert.deepEqual(events(exported('caller')), [])
})

test('what parts alone tell names the span of the attempt, whoever runs beside it', async () => {
  const heard = []
  const subscription = subscribe(event => heard.push(event))
  const breaker = new Breaker('b', { consecutiveFailures: 2 })
  const retry = new Retry({ maxAttempts: 2, backoff: 'none' })
  const late = async () => (await turn(), fail())
  const calls = [0, 1].flatMap(() => [breaker, retry]).map(part => within('caller', () => rejection(part.call(late))))
  const callers = await Promise.all(calls)
  subscription.close()
  const spans = attempts()
  assert.deepEqual(spans.map(({ name }) => name).sort(), [...Array(2).fill('b attempt'), ...Array(4).fill('retry attempt')])
  assert.deepEqual(heard.map(({ name }) => name).sort(), ['giveUp', 'giveUp', 'retry', 'retry', 'stateChange'])
  for (const { name, traceId, spanId } of heard) {
    const span = spans.find(span => span.spanContext().spanId === spanId)
    assert.ok(callers.some(caller => caller.traceId === traceId && caller.spanId === span?.parentSpanContext.spanId), name)
    assert.equal(span.events.length, 1)
  }
})

test('parts alone that are traced decide as they do untraced', async () => {
  const parts = () => {
    const retry = new Retry({ maxAttempts: 2, clock: new ManualClock(), seed: 1n, budget: { ratio: 0, minPerSecond: 0, burst: 1 } })
    return [new Breaker('b', { consecutiveFailures: 1, slowCall: '1s', window: { calls: 1 }, clock: new ManualClock() }), retry]
  }
  const come = async () => {
    const [breaker, retry] = parts()
    const seen = []
    for (const fn of [() => 'well', fail, fail]) {
      for (const part of [breaker, retry]) seen.push(await part.call(fn).catch(error => [error.code, callInfo(error)]))
      seen.push(breaker.state, retry.budget.tokensMicro)
    }
    return seen
  }
  const traced = await come()
  tracing.close()
  assert.deepEqual(await come(), traced)
})

test('what is switched off has no spans', async () => {
  const off = disabled()
  assert.equal(await new Breaker('b').call(() => 'well'), 'well')
  await rejection(new Retry().call(fail))
  await rejection(guarded().call(fail))
  off[Symbol.dispose]()
  assert.deepEqual(attempts(), [])
})

test('timeouts, cancellations and what is ignored', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('payments', { attemptTimeout: '2s', deadline: '3s', retry: { maxAttempts: 2, backoff: 'none' }, ignore: TypeError })
  const hang = () => new Promise(() => {})
  const call = within('caller', () => rejection(guard.call(hang)))
  tick(2000)
  await turn()
  tick(1000)
  await call
  const caller = new AbortController()
  const aborted = guard.call(hang, { signal: caller.signal })
  await within('elsewhere', () => caller.abort())
  await rejection(aborted)
  await rejection(guard.call(() => { throw new TypeError() }))
  const came = attempts().map(({ attributes, status }) => [attributes['overcurrent.outcome'], attributes['error.type'], status.code])
  const { ERROR, UNSET } = SpanStatusCode
  assert.deepEqual(came, [
    ['timeout', 'ATTEMPT_TIMEOUT', ERROR],
    ['timeout', 'DEADLINE_EXCEEDED', ERROR],
    ['cancelled', undefined, UNSET],
    ['ignored', 'TypeError', UNSET],
  ])
  assert.deepEqual(attempts().map(events), [['timeout', 'retry'], ['timeout'], [], []])
})

/** What is told of an attempt that came to these: errors, then values that are failures. */
async function types(errors, values) {
  const guard = guarded({ retry: false, breaker: false, classify: ({ value }) => (value === undefined ? undefined : 'failure') })
  for (const error of errors) await guard.call(() => Promise.reject(error)).then(assert.fail, () => {})
  for (const value of values) await guard.call(() => value)
  return attempts().map(({ attributes }) => attributes['error.type'])
}

test('failures are called what the cases say', async () => {
  const { errors, values } = JSON.parse(readFileSync(new URL('../error-types.json', import.meta.url), 'utf8'))
  const said = ({ status, response, code }) => ({ status, code, ...(response && { response: { status: response } }) })
  const told = await types(
    errors.map(of => Object.assign(new RangeError('secret'), said(of))),
    values.map(said),
  )
  const expected = [...errors, ...values].map(({ expect }) => (expect === 'class' ? 'RangeError' : expect))
  assert.deepEqual(told, expected)
  assert.ok(errors.length > 10 && values.length > 3)
})

test('odd errors and values have a name too', async () => {
  class Refused extends Error {}
  class Named extends Error {
    name = 'Declined'
  }
  const odd = new Proxy({}, { get: fail, getPrototypeOf: fail })
  const grpc = Object.assign(new Error('14 UNAVAILABLE: down'), { code: 14, details: 'down', metadata: {} })
  const errors = [new Refused(), new Named(), Object.assign(new Error(), { name: '' }), runInNewContext('new TypeError()'), grpc]
  const named = ['Refused', 'Declined', 'Error', 'TypeError', 'UNAVAILABLE']
  const nothing = ['a text', null, odd, { code: 'SECRET' }]
  const told = await types([...errors, ...nothing], [{ statusCode: 502 }, 'odd'])
  assert.deepEqual(told, [...named, '_OTHER', '_OTHER', '_OTHER', '_OTHER', '502', '_OTHER'])
})

test('what is ignored has a name where it is an error', async () => {
  const guard = guarded({ retry: false, classify: () => 'ignored' })
  await rejection(guard.call(fail))
  await guard.call(() => ({ status: 404 }))
  assert.deepEqual(
    attempts().map(({ attributes, status }) => [attributes['error.type'], status.code]),
    [['ECONNREFUSED', SpanStatusCode.UNSET], [undefined, SpanStatusCode.UNSET]],
  )
})

test('guards around guards: the inner attempt is a child of the outer one', async () => {
  const [outer, inner] = ['outer', 'inner'].map(name => new Guard(name, { retry: false }))
  await compose(outer, inner).call(() => 'well')
  const [one, other] = attempts()
  assert.deepEqual([one.name, other.name], ['inner attempt', 'outer attempt'])
  assert.equal(one.parentSpanContext.spanId, other.spanContext().spanId)
})

test('events of many calls at once are told to the span of their own call, and name it', async () => {
  const guard = guarded({ retry: { maxAttempts: 3, backoff: 'none', budget: false }, breaker: { consecutiveFailures: 100 } })
  const heard = []
  const subscription = subscribe(event => heard.push(event), { guard })
  const callers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      within(`caller ${index}`, () => rejection(guard.call(async () => (await turn(), fail())))),
    ),
  )
  subscription.close()
  const spans = attempts()
  assert.equal(spans.length, 60)
  for (const span of spans) {
    const { traceId, spanId } = span.spanContext()
    assert.ok(callers.some(caller => caller.traceId === traceId && caller.spanId === span.parentSpanContext.spanId))
    const own = heard.filter(event => event.spanId === spanId)
    assert.deepEqual(own.map(({ name, traceId }) => [name, traceId]), [[span.attributes['overcurrent.attempt'] < 3 ? 'retry' : 'giveUp', traceId]])
    assert.equal(span.events.length, 1)
  }
})

test('where no span is active, that of the request is the parent', async () => {
  const came = TraceContext.extract({
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    tracestate: 'vendor=1',
    'x-correlation-id': 'order-7',
  })
  const guard = guarded()
  let inside
  await came.run(() => guard.call(() => void (inside = TraceContext.current())))
  const [span] = attempts()
  assert.deepEqual([span.spanContext().traceId, span.parentSpanContext.spanId], [came.traceId, came.spanId])
  assert.equal(span.spanContext().traceState.serialize(), 'vendor=1')
  assert.deepEqual([inside.spanId, inside.sampled, inside.correlationId], [span.spanContext().spanId, true, 'order-7'])
})

test('a trace that begins here is recorded unless it says otherwise', async () => {
  const guard = guarded()
  const [begun, unrecorded] = [TraceContext.root(), TraceContext.extract({}).orRoot({ sampled: false })]
  for (const root of [begun, unrecorded]) {
    const inside = await root.run(() => guard.call(() => TraceContext.current()))
    assert.deepEqual([inside.traceId, inside.sampled], [root.traceId, root === begun])
  }
  const told = attempts().map(({ parentSpanContext: { traceId, traceFlags } }) => [traceId, traceFlags])
  assert.deepEqual(told, [[begun.traceId, 3]], 'sampled and random')
})

test('without a caller’s span there is one for each attempt all the same', async () => {
  await rejection(guarded({ retry: { maxAttempts: 2, backoff: 'none' } }).call(fail))
  assert.deepEqual(attempts().map(events), [['retry'], ['give_up']])
  assert.ok(attempts().every(span => span.parentSpanContext === undefined))
})

test('closing it ends it; a thread is traced once at a time', async () => {
  const guard = guarded()
  assert.throws(() => instrument(), { message: 'calls are traced already, close that first' })
  tracing.close()
  tracing.close()
  const other = instrument({ tracerProvider: new NodeTracerProvider() })
  tracing.close()
  await guard.call(() => assert.notEqual(trace.getActiveSpan(), undefined))
  assert.equal(attempts().length, 0)
  other[Symbol.dispose]()
  await guard.call(() => assert.equal(trace.getActiveSpan(), undefined))
  const last = instrument({ tracerProvider: provider })
  await guard.call(() => last.close())
  await guard.call(() => {})
  assert.equal(attempts().length, 1)
})

test('a tracer, a context manager or an exporter that throws is reported once and changes nothing', async t => {
  tracing.close()
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  const broken = () => {
    throw new Error('broken')
  }
  const span = new Proxy({}, { get: (_, name) => (name === 'spanContext' ? () => provider.getTracer('x').startSpan('x').spanContext() : broken) })
  const providers = {
    tracer: { getTracer: () => ({ startSpan: broken }) },
    span: { getTracer: () => ({ startSpan: () => span }) },
    exporter: new NodeTracerProvider({ spanProcessors: [{ onStart: broken, onEnd: broken, shutdown() {}, forceFlush() {} }] }),
  }
  for (const [name, tracerProvider] of Object.entries(providers)) {
    const own = instrument({ tracerProvider })
    let calls = 0
    const guard = guarded()
    assert.equal(await guard.call(({ attempt }) => (calls++, attempt < 3 ? fail() : 'well')), 'well', name)
    assert.equal((await rejection(guard.call(fail))).code, 'ECONNREFUSED')
    own.close()
    assert.equal(calls, 3)
    assert.equal(warnings.mock.callCount(), 1, name)
    assert.deepEqual(warnings.mock.calls[0].arguments[1].code, 'OVERCURRENT_TRACER')
    warnings.mock.resetCalls()
  }
  for (const late of [false, true]) {
    const own = instrument()
    const manager = t.mock.method(context, 'with', (_, fn) => {
      if (late) fn()
      broken()
    })
    let calls = 0
    assert.equal(await guarded().call(() => (calls++, 'well')), 'well')
    manager.mock.restore()
    own.close()
    assert.deepEqual([calls, warnings.mock.callCount()], [1, 1])
    warnings.mock.resetCalls()
  }
})

test('nothing of OpenTelemetry is loaded before it is asked for', () => {
  const script = `
    const { Guard } = require('overcurrent')
    for (const entry of ['axios', 'express', 'fastify', 'fetch', 'grpc', 'testing', 'undici']) require('overcurrent/' + entry)
    new Guard('g').call(() => {}).then(() => {
      process.stdout.write(String(Object.keys(require.cache).filter(file => file.includes('opentelemetry')).length))
    })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, '0', ''])
})

test('what cannot be is refused', () => {
  tracing.close()
  const refused = (options, path, rule) => assert.throws(() => instrument(options), { name: 'InvalidPolicy', path, rule })
  refused({ tracerProvider: {} }, 'tracerProvider', 'must have a method `getTracer`')
  refused({ propagate: 'yes' }, 'propagate', 'must be true or false')
  refused({ propogate: false }, 'propogate', 'is not a field here, only `tracerProvider`, `propagate` can stand here')
})
