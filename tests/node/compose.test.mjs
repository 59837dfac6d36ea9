/** Guards around guards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptTimeout, Guard, ManualClock, callInfo, compose, constant } from 'overcurrent'
import { deferred, rejection, turn } from './tools.mjs'

const waits = (maxAttempts, delay) => ({ backoff: constant(delay), jitter: 'none', maxAttempts })

test('each attempt of the outer guard is a call of the inner one', async () => {
  const clock = new ManualClock()
  const outer = new Guard('outer', { clock, retry: waits(2, '10s'), breaker: { consecutiveFailures: 9 } })
  const inner = new Guard('inner', { clock, retry: waits(3, '1s'), breaker: { consecutiveFailures: 9 } })
  const at = []
  const error = new Error('mine')
  const rejected = await rejection(
    compose(outer, inner).call(({ attempt }) => {
      at.push([attempt, clock.nowNs / 1_000_000_000n])
      throw error
    }),
  )
  assert.equal(rejected, error)
  assert.deepEqual(at, [
    [1, 0n],
    [2, 1n],
    [3, 2n],
    [1, 12n],
    [2, 13n],
    [3, 14n],
  ])
  assert.equal(callInfo(error).attempts, 2)
})

test('one key goes all the way through, and the least time left is told', async () => {
  const clock = new ManualClock()
  const outer = new Guard('outer', { clock, attemptTimeout: '3s', retry: waits(2, 0) })
  const middle = new Guard('middle', { clock, attemptTimeout: false, deadline: false, breaker: false })
  const inner = new Guard('inner', { clock, attemptTimeout: '2s', retry: waits(2, '1500ms') })
  const composed = compose(outer, compose(middle, inner))
  const seen = []
  await rejection(
    composed.call(({ idempotencyKey, remaining }) => {
      seen.push([idempotencyKey, remaining])
      throw new Error('again')
    }),
  )
  const [[key]] = seen
  assert.match(key, /^[0-9a-f-]{36}$/)
  assert.deepEqual(seen.slice(0, 2), [
    [key, 2000],
    [key, 1500],
  ])
  assert.ok(seen.length > 2 && seen.every(([other]) => other === key))
  await composed.call(({ idempotencyKey }) => assert.equal(idempotencyKey, 'mine'), { key: 'mine' })
  await composed.call(({ idempotencyKey }) => assert.notEqual(idempotencyKey, key))
  const open = new Guard('g', { deadline: false, attemptTimeout: false, breaker: false })
  await compose(open, open).call(({ remaining }) => assert.equal(remaining, undefined))
})

test('the timeout of the outer attempt ends the inner call, as if its caller had given up', async () => {
  const clock = new ManualClock()
  const outer = new Guard('outer', { clock, attemptTimeout: '1s', retry: false, breaker: { consecutiveFailures: 1 } })
  const inner = new Guard('inner', { clock, attemptTimeout: '5s', retry: false, breaker: { consecutiveFailures: 1 } })
  let seen
  const call = compose(outer, inner).call(({ signal }) => {
    seen = signal
    return new Promise(() => {})
  })
  clock.advance('1s')
  const error = await rejection(call)
  assert.ok(error instanceof AttemptTimeout)
  assert.equal(error.message, 'attempt 1 of `outer` timed out after 1 s')
  assert.deepEqual([seen.aborted, seen.reason], [true, error])
  assert.deepEqual([outer.breaker.state, inner.breaker.state], ['open', 'closed'])
  await inner.drain()
})

test('the caller ends all of them, also in a wait of the inner one', async () => {
  const outer = new Guard('outer')
  const inner = new Guard('inner', { deadline: '2h', retry: waits(2, '1h') })
  const controller = new AbortController()
  const call = compose(outer, inner).call(
    () => {
      throw new Error('no')
    },
    { signal: controller.signal },
  )
  await turn()
  controller.abort('enough')
  assert.equal(await rejection(call), 'enough')
  await Promise.all([outer.drain(), inner.drain()])
  assert.deepEqual([outer.breaker.state, outer.breaker.late, inner.breaker.late], ['closed', 0, 0])
})

test('a rejection by the inner breaker is neither a failure of the outer one nor tried again', async () => {
  const outer = new Guard('outer', { breaker: { consecutiveFailures: 1 } })
  const inner = new Guard('inner')
  inner.breaker.forceOpen()
  const error = await rejection(compose(outer, inner).call(() => assert.fail('it ran')))
  assert.deepEqual([error.code, error.breaker], ['BREAKER_OPEN', 'inner'])
  assert.equal(outer.breaker.state, 'closed')
})

test('what the inner call comes to after its end changes nothing', async () => {
  const clock = new ManualClock()
  const outer = new Guard('outer', { clock, attemptTimeout: '1s', retry: waits(2, '1s') })
  const inner = new Guard('inner', { clock, attemptTimeout: '5s', retry: waits(2, '1s') })
  const late = deferred()
  const starts = []
  const call = compose(outer, inner).call(({ attempt }) => {
    starts.push(attempt)
    return starts.length === 1 ? late.promise : 'second'
  })
  clock.advance('1s')
  assert.equal(await call, 'second')
  late.reject(new Error('late'))
  await turn()
  assert.deepEqual(starts, [1, 1])
})

test('composed functions keep their parameters, and only guards are composed', async () => {
  const both = compose(new Guard('outer'), new Guard('inner'))
  const shop = {
    currency: 'EUR',
    price: both.wrap(function price(cents) {
      return `${cents} ${this.currency}`
    }),
  }
  assert.equal(await shop.price(5), '5 EUR')
  assert.deepEqual([shop.price.name, shop.price.length], ['price', 1])
  assert.ok((await rejection(both.call(1))) instanceof TypeError)
  assert.throws(() => compose(new Guard('outer'), {}), { name: 'InvalidPolicy', path: 'guards[1]' })
})
