/** Promises that do more than be listened to, and what is no function: whoever runs functions takes both alike. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Breaker, Guard, Retry, compose } from 'overcurrent'
import { rejection } from './tools.mjs'

const ONE_FAILURE = { consecutiveFailures: 1 }

class Counted extends Promise {
  static listened = 0

  then(...listeners) {
    Counted.listened++
    return super.then(...listeners)
  }
}

class Hostile extends Promise {
  then() {
    throw new Error('hostile')
  }
}

const owning = (name, property) => Object.defineProperty(Promise.resolve(1), name, property)
const hostile = () => {
  throw new Error('hostile')
}

/** How a promise may throw where it is listened to. */
const THROWING = {
  'a class of its own': () => new Hostile(() => {}),
  'a `then` of its own': () => owning('then', { value: hostile }),
  'a `then` that cannot be read': () => owning('then', { get: hostile }),
  'a class that cannot be read': () => owning('constructor', { get: hostile }),
  'a class that makes none': () => owning('constructor', { value: { get [Symbol.species]() { return hostile() } } }),
}

/** Who runs functions. */
const RUNNERS = {
  guard: () => new Guard('g', { retry: false, breaker: ONE_FAILURE }),
  'guard without limits': () =>
    new Guard('g', { retry: false, deadline: false, attemptTimeout: false, breaker: { ...ONE_FAILURE, probeTimeout: '1s' } }),
  breaker: () => new Breaker('b', ONE_FAILURE),
  'breaker that asks for the time': () => new Breaker('b', { ...ONE_FAILURE, slowCall: '1s' }),
  retry: () => new Retry({ maxAttempts: 1 }),
}

for (const [name, make] of Object.entries(RUNNERS)) {
  describe(name, () => {
    for (const [kind, promise] of Object.entries(THROWING)) {
      test(`a promise with ${kind} is an outcome, and nothing is left under way`, async () => {
        const runner = make()
        const called = runner.call(promise)
        assert.ok(called instanceof Promise)
        // Where it is not listened to by its `then`, it is what it resolves to.
        const outcome = await called.then(value => value, error => error)
        assert.ok(outcome === 1 || outcome instanceof Error, outcome)
        const breaker = runner instanceof Breaker ? runner : runner.breaker
        if (breaker !== undefined) assert.equal(breaker.state, outcome === 1 ? 'closed' : 'open')
        await runner.drain?.()
      })
    }

    test('a promise of a class of its own is listened to once', async () => {
      Counted.listened = 0
      assert.equal(await make().call(() => Counted.resolve(7)), 7)
      assert.equal(Counted.listened, 1)
    })

    test('what is no function is no failure', async () => {
      const runner = make()
      const error = await rejection(runner.call(undefined))
      assert.ok(error instanceof TypeError)
      assert.equal(error.message, 'a function is needed')
      assert.equal(await runner.call(() => 'well'), 'well')
    })
  })
}

test('composed guards are left with nothing under way', async () => {
  const [outer, inner] = [new Guard('outer', { retry: false }), new Guard('inner', { retry: false })]
  for (const promise of Object.values(THROWING)) await compose(outer, inner).call(promise).catch(() => undefined)
  await Promise.all([outer.drain(), inner.drain()])
})
