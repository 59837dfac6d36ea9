/** gRPC calls through guards, against a real server that fails as it is told. */
import { status as STATUS } from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptTimeout, BreakerOpen, Guard, InvalidPolicy, ManualClock, Registry } from 'overcurrent'
import { guardInterceptor } from 'overcurrent/grpc'
import { rejection } from '../tools.mjs'
import { GET, HANG, Orders, SEND, called, client } from './orders.mjs'
import { until } from './server.mjs'

const { UNAVAILABLE, RESOURCE_EXHAUSTED, INTERNAL, NOT_FOUND, DEADLINE_EXCEEDED, CANCELLED } = STATUS
const THRICE = { maxAttempts: 3, backoff: 'none' }
const ONE_FAILURE = { consecutiveFailures: 1 }

/** A server, and a client of it whose guards try three times without waiting. */
async function opened(t, options = {}) {
  const orders = await Orders.start(t)
  const more = options.guards === undefined ? { retry: THRICE } : {}
  const orderer = client(t, orders.target, guardInterceptor(orders.target, { ...more, idempotent: [GET], ...options }))
  return { orders, call: (name = 'Get', ...rest) => called(orderer, name, ...rest), orderer }
}

test('what may be repeated is tried again', async t => {
  const { orders, call } = await opened(t)
  orders.will(UNAVAILABLE, RESOURCE_EXHAUSTED)
  assert.equal(await call(), 'order')
  const seen = orders.seen.map(({ method, request, metadata }) => [method, request, metadata.tenant])
  assert.deepEqual(seen, Array(3).fill([GET, 'order', 'one']))
})

for (const idempotent of [[GET], method => method === GET, undefined]) {
  test(`what may not is called once, says ${typeof idempotent}`, async t => {
    const { orders, call } = await opened(t, { idempotent })
    orders.will(UNAVAILABLE)
    assert.equal((await rejection(call('Send'))).code, UNAVAILABLE)
    assert.deepEqual(orders.seen.map(({ method }) => method), [SEND])
  })
}

test('the last status comes back as it is', async t => {
  const { orders, call } = await opened(t)
  orders.will(UNAVAILABLE, UNAVAILABLE, { code: INTERNAL, pushback: '10' })
  const error = await rejection(call())
  assert.deepEqual([error.code, error.details, error.cause], [INTERNAL, 'as told', undefined])
  assert.deepEqual(error.metadata.get('grpc-retry-pushback-ms'), ['10'])
  assert.equal(orders.seen.length, 3)
})

test('an answer is no failure', async t => {
  const { orders, call } = await opened(t, { breaker: ONE_FAILURE })
  orders.will(NOT_FOUND)
  assert.equal((await rejection(call())).code, NOT_FOUND)
  assert.equal(await call(), 'order')
  assert.equal(orders.seen.length, 2)
})

test('pushback is waited for', async t => {
  const clock = new ManualClock()
  const { orders, call } = await opened(t, { clock, retry: { ...THRICE, jitter: 'none' } })
  orders.will({ code: UNAVAILABLE, pushback: '1500' })
  assert.equal(await call(), 'order')
  assert.equal(clock.nowNs, 1_500_000_000n)
  orders.will({ code: UNAVAILABLE, pushback: '-1' })
  assert.equal((await rejection(call())).code, UNAVAILABLE)
  assert.equal(orders.seen.length, 3)
})

test('each target has a breaker', async t => {
  const guards = new Registry({ retry: false, breaker: ONE_FAILURE })
  const { orders, call } = await opened(t, { guards })
  orders.will(UNAVAILABLE)
  assert.equal((await rejection(call())).code, UNAVAILABLE)
  const { code, cause } = await rejection(call())
  assert.equal(code, UNAVAILABLE)
  assert.ok(cause instanceof BreakerOpen)
  assert.equal(cause.breaker, orders.target)
  assert.deepEqual([...guards], [orders.target])
  assert.equal(orders.seen.length, 1)
})

test('one guard may serve for all, and its hooks are asked first', async t => {
  const classify = ({ error, value }) => {
    if (value?.message === 'order') return 'success'
    return error?.code === NOT_FOUND ? { retryable: true } : undefined
  }
  const { orders, call } = await opened(t, { guards: new Guard('own', { retry: THRICE, classify }) })
  orders.will(NOT_FOUND)
  assert.equal(await call(), 'order')
  assert.equal(orders.seen.length, 2)
  orders.will(NOT_FOUND)
  assert.equal((await rejection(call('Send'))).code, NOT_FOUND)
  assert.equal(orders.seen.length, 3)
})

test('the deadline is cut to what remains', async t => {
  const { orders, call } = await opened(t, { attemptTimeout: '2s' })
  await call()
  await call('Get', { deadline: Date.now() + 60_000 })
  const patient = await opened(t, { attemptTimeout: '60s', deadline: false })
  await patient.call('Get', { deadline: new Date(Date.now() + 2_000) })
  for (const { remaining } of [...orders.seen, ...patient.orders.seen]) assert.ok(remaining > 0 && remaining <= 2_100, `${remaining}`)
})

test("the caller's deadline ends a wait", async t => {
  const guard = new Guard('own', { retry: { ...THRICE, backoff: { constant: { delay: '20s' } }, jitter: 'none' } })
  const { orders, call } = await opened(t, { guards: guard })
  orders.will(UNAVAILABLE)
  const began = performance.now()
  const error = await rejection(call('Get', { deadline: Date.now() + 200 }))
  assert.equal(error.code, DEADLINE_EXCEEDED)
  assert.match(error.details, /deadline/)
  assert.ok(performance.now() - began < 10_000)
  await guard.drain()
  assert.equal(orders.seen.length, 1)
})

test("at the caller's deadline an attempt has failed and is not tried again, whatever a hook says", async t => {
  for (const classify of [undefined, ({ error }) => (error ? { retryable: true } : undefined)]) {
    const retry = { ...THRICE, backoff: { constant: { delay: '20s' } }, jitter: 'none' }
    const guard = new Guard('own', { retry, breaker: ONE_FAILURE, classify })
    const { orders, call } = await opened(t, { guards: guard })
    orders.will(HANG)
    assert.equal((await rejection(call('Get', { deadline: new Date(Date.now() + 200) }))).code, DEADLINE_EXCEEDED)
    assert.equal(guard.breaker.state, 'open')
    await guard.drain()
    assert.equal(orders.seen.length, 1)
  }
})

test('a deadline that is over already is no failure of the server', async t => {
  const guard = new Guard('own', { retry: THRICE, breaker: ONE_FAILURE })
  const { orders, call } = await opened(t, { guards: guard })
  assert.equal((await rejection(call('Get', { deadline: Date.now() - 1_000 }))).code, DEADLINE_EXCEEDED)
  assert.equal(guard.breaker.state, 'closed')
  assert.equal(orders.seen.length, 0)
})

test('a call that hangs is given up in time', async t => {
  const { orders, call } = await opened(t, { attemptTimeout: 200 })
  orders.will(HANG, HANG)
  assert.equal(await call(), 'order')
  assert.equal(orders.seen.length, 3)
  orders.will(HANG)
  const error = await rejection(call('Send'))
  assert.equal(error.code, DEADLINE_EXCEEDED)
  assert.ok(error.cause === undefined || error.cause instanceof AttemptTimeout)
  await until(() => orders.cancelled === 3)
})

test('the caller gives up', async t => {
  const guard = new Guard('own', { breaker: ONE_FAILURE })
  const { orders, call } = await opened(t, { guards: guard })
  orders.will(HANG)
  let [begun, peer] = []
  const sent = rejection(call('Get', {}, call => ([begun, peer] = [call, call.getPeer()])))
  await until(() => orders.seen.length === 1)
  assert.match(peer, /127\.0\.0\.1/)
  begun.cancel()
  assert.equal((await sent).code, CANCELLED)
  await until(() => orders.cancelled === 1)
  assert.equal(guard.breaker.state, 'closed')
})

test('a target that nobody listens at is unavailable', async t => {
  const nowhere = client(t, '127.0.0.1:1', guardInterceptor('127.0.0.1:1', { retry: false, breaker: ONE_FAILURE }))
  assert.equal((await rejection(called(nowhere, 'Get'))).code, UNAVAILABLE)
  assert.ok((await rejection(called(nowhere, 'Get'))).cause instanceof BreakerOpen)
})

test('streams pass untouched', async t => {
  const guard = new Guard('own')
  const { orderer } = await opened(t, { guards: guard })
  guard.breaker.forceOpen()
  const parts = []
  for await (const part of orderer.Stream('order')) parts.push(part)
  assert.deepEqual(parts, ['order', 'order'])
})

test('bad options are refused', () => {
  const refused = (path, ...given) =>
    assert.throws(() => guardInterceptor(...given), error => error instanceof InvalidPolicy && error.path === path)
  refused('target', 1)
  refused('idempotent', 'a', { idempotent: GET })
  refused('idempotent', 'a', { idempotent: 1 })
  refused('guards', 'a', { guards: 1 })
})
