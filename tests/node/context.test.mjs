/** The asynchronous context of the caller holds in every attempt of a call. */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { Breaker, Guard, ManualClock, Retry, constant } from 'overcurrent'
import { fakeTime, turn } from './tools.mjs'

const store = new AsyncLocalStorage()

test('attempts after waits and timeouts see the store of the caller, though calls share a timer', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { attemptTimeout: '1s', retry: { backoff: constant('1s'), jitter: 'none', maxAttempts: 4 } })
  const seen = { first: [], second: [] }
  const call = name =>
    store.run(name, () =>
      guard.call(async ({ attempt }) => {
        seen[name].push(store.getStore())
        if (attempt === 2) throw new Error('again')
        return attempt === 4 ? store.getStore() : new Promise(() => {})
      }),
    )
  const calls = [call('first'), call('second')]
  for (let seconds = 0; seconds < 10; seconds++) {
    await turn()
    store.run('the clock', () => tick(1000))
  }
  assert.deepEqual(await Promise.all(calls), ['first', 'second'])
  assert.deepEqual(seen, { first: Array(4).fill('first'), second: Array(4).fill('second') })
})

test('the same on a manual clock that somebody else moves', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '1s', retry: { backoff: 'none' } })
  const seen = []
  const call = store.run('caller', () =>
    guard.call(({ attempt }) => {
      seen.push(store.getStore())
      return attempt === 3 ? 'done' : new Promise(() => {})
    }),
  )
  for (const mover of ['one', 'other']) {
    store.run(mover, () => clock.advance('1s'))
    await turn()
  }
  assert.equal(await call, 'done')
  assert.deepEqual(seen, ['caller', 'caller', 'caller'])
})

test('what a cut attempt’s signal sets off runs in the context of its call', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { attemptTimeout: '1s', retry: false })
  const seen = []
  const calls = ['first', 'second'].map(name =>
    store.run(name, () =>
      guard.call(({ signal }) => {
        signal.addEventListener('abort', () => seen.push(store.getStore()))
        return new Promise(() => {})
      }),
    ),
  )
  tick(1000)
  await Promise.allSettled(calls)
  assert.deepEqual(seen, ['first', 'second'])
})

test('breakers and retries alone keep it too', async () => {
  const clock = new ManualClock()
  const retry = new Retry({ clock, backoff: constant('1s'), jitter: 'none' })
  const seen = []
  await store.run('caller', () =>
    retry.call(({ attempt }) => {
      seen.push(store.getStore())
      if (attempt < 3) throw new Error('again')
    }),
  )
  await store.run('caller', () => new Breaker().call(async () => seen.push(store.getStore())))
  assert.deepEqual(seen, Array(4).fill('caller'))
})
