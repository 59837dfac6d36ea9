/** Guards by key. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Breaker, Budget, BreakerOpen, Guard, InvalidPolicy, ManualClock, Registry, RegistryFull, Retry, subscribe } from 'overcurrent'
import { rejection } from './tools.mjs'

const ONE_FAILURE = { retry: false, breaker: { consecutiveFailures: 1, cooldownJitter: 0 } }
const fail = () => {
  throw new Error('own')
}

test('a key has one guard, with a breaker of its own', async () => {
  const registry = new Registry({ name: 'hosts', ...ONE_FAILURE })
  const one = registry.guard('one')
  assert.ok(one instanceof Guard)
  assert.equal(one.name, 'hosts/one')
  assert.equal(registry.guard('one'), one)
  assert.equal((await rejection(one.call(fail))).message, 'own')
  const error = await rejection(registry.guard('one').call(() => 'row'))
  assert.ok(error instanceof BreakerOpen)
  assert.equal(error.breaker, 'hosts/one')
  assert.equal(await registry.guard('two').call(() => 'row'), 'row')
  assert.deepEqual([registry.size, registry.capacity, registry.evictions], [2, 10_000, 0])
})

test('it tells what is there, and makes nothing', () => {
  const registry = new Registry()
  assert.equal(registry.get('one'), undefined)
  assert.equal(registry.has('one'), false)
  const one = registry.guard('one')
  assert.equal(one.name, 'one')
  assert.equal(registry.get('one'), one)
  assert.equal(registry.has('one'), true)
  assert.deepEqual([...registry], ['one'])
  assert.deepEqual([...registry.keys()], ['one'])
  assert.deepEqual([...registry.values()], [one])
  assert.equal(registry.has('two'), false)
  assert.throws(() => registry.guard(7), InvalidPolicy)
})

test('a flood of keys keeps to the capacity, whoever holds their guards', async () => {
  const registry = new Registry({ capacity: 10, ...ONE_FAILURE })
  const held = []
  for (let key = 0; key < 1000; key++) {
    const guard = registry.guard(`${key}`)
    held.push(guard)
    assert.equal(await guard.call(() => key), key)
    assert.ok(registry.size <= 10)
  }
  assert.equal(registry.evictions, 990)
  // One that was forgotten works on, and has its place again.
  assert.equal(await held[0].call(() => 'row'), 'row')
  assert.equal(registry.evictions, 991)
  assert.equal(registry.guard('0'), held[0])
  assert.equal(registry.get('0'), held[0])
})

test('a breaker that rejects is not forgotten', async () => {
  const clock = new ManualClock()
  const registry = new Registry({ name: 'hosts', capacity: 2, clock, ...ONE_FAILURE })
  const events = []
  const subscription = subscribe(event => event.name === 'eviction' && events.push(event.key))
  await rejection(registry.guard('bad').call(fail))
  for (let key = 0; key < 100; key++) await registry.guard(`${key}`).call(() => key)
  assert.ok((await rejection(registry.guard('bad').call(() => 'row'))) instanceof BreakerOpen)
  await rejection(registry.guard('99').call(fail))
  const error = await rejection((async () => registry.guard('more'))())
  assert.ok(error instanceof RegistryFull)
  assert.deepEqual([error.code, error.guard, error.capacity], ['REGISTRY_FULL', 'hosts/more', 2])
  assert.match(error.message, /full with 2 entries/)
  registry.guard('99').breaker.reset()
  assert.equal(await registry.guard('more').call(() => 'row'), 'row')
  assert.deepEqual(events, [...Array(99).keys()].concat(99).map(key => `hosts/${key}`))
  subscription.close()
})

test('a held guard whose place is gone keeps its own state', async () => {
  const registry = new Registry({ capacity: 1, ...ONE_FAILURE })
  const one = registry.guard('one')
  await one.call(() => 'row')
  await rejection(registry.guard('two').call(fail))
  assert.deepEqual([...registry], ['two'])
  await rejection(one.call(fail))
  assert.ok((await rejection(one.call(() => 'row'))) instanceof BreakerOpen)
  assert.equal(one.breaker.state, 'open')
  registry.guard('two').breaker.reset()
  assert.equal(registry.guard('one'), one)
  assert.equal(one.breaker.state, 'open')
})

test('a call under way, a listener and a token hold the guard', async () => {
  const registry = new Registry({
    ...ONE_FAILURE,
    capacity: 1,
    attemptTimeout: false,
    deadline: '24h',
    breaker: { consecutiveFailures: 3 },
    retry: { maxAttempts: 2, backoff: { constant: { delay: '1h' } } },
  })
  const guard = registry.guard('one')
  const caller = new AbortController()
  const sent = rejection(guard.call(fail, { signal: caller.signal }))
  assert.throws(() => registry.guard('two'), RegistryFull)
  caller.abort(new Error('no more'))
  await sent
  guard.breaker.reset()
  const seen = []
  const listener = ({ new: state }) => seen.push(state)
  guard.on('stateChange', listener)
  assert.throws(() => registry.guard('two'), RegistryFull)
  guard.breaker.forceOpen()
  assert.deepEqual(seen, ['forced_open'])
  guard.breaker.reset()
  guard.off('stateChange', listener)
  const token = guard.share()
  assert.throws(() => registry.guard('two'), RegistryFull)
  assert.equal(Guard.from(token).name, 'one')
  guard[Symbol.dispose]()
})

test('one that was disposed of gives way to another', async () => {
  const registry = new Registry()
  const one = registry.guard('one')
  one[Symbol.dispose]()
  assert.equal((await rejection(one.call(() => 'row'))).name, 'AbortError')
  assert.equal(await registry.guard('one').call(() => 'row'), 'row')
})

test('what all keys share, and what they do not', async () => {
  const budget = new Budget({ burst: 1, ratio: 0, minPerSecond: 0 })
  const hooked = []
  const retry = new Retry({ maxAttempts: 2, backoff: 'none', budget, on: error => void hooked.push(error.message) ?? true })
  const registry = new Registry({ retry })
  let calls = 0
  for (const key of ['one', 'two']) {
    assert.equal(registry.guard(key).budget, retry.budget)
    await rejection(registry.guard(key).call(() => fail(calls++)))
  }
  assert.equal(calls, 3)
  assert.deepEqual(hooked, ['own', 'own', 'own'])
  const apart = new Registry()
  assert.notEqual(apart.guard('one').budget, apart.guard('two').budget)
  assert.equal(apart.guard('one').budget.tokensMicro, 10_000_000)
})

test('the policy may come from a file', async () => {
  const file = new URL('registry-policy.toml', import.meta.url)
  writeFileSync(file, '[policy.shard]\nretry = false\nbreaker = { consecutive_failures = 1 }\n')
  const registry = Registry.fromFile(file, 'shard', { name: 'shards', capacity: 5 })
  await rejection(registry.guard('one').call(fail))
  assert.equal(registry.guard('one').breaker.state, 'open')
  assert.deepEqual([registry.guard('one').name, registry.capacity], ['shards/one', 5])
  assert.throws(() => Registry.fromFile(file, 'no such'), InvalidPolicy)
  assert.throws(() => Registry.fromFile(file, 'shard', { retry: false }), InvalidPolicy)
})

test('bad options are refused', () => {
  const refused = (options, path, value) => {
    const named = error => error instanceof InvalidPolicy && error.path === path && (value === undefined || error.value === value)
    assert.throws(() => new Registry(options), named)
  }
  for (const capacity of [0, -1, 1.5, NaN, '10', true, null]) refused({ capacity }, 'capacity')
  refused({ capacity: 0 }, 'capacity', '0')
  refused({ name: 7 }, 'name', '7')
  refused({ breaker: new Breaker() }, 'breaker')
  refused({ colour: 'red' }, 'colour')
  refused({ attemptTimeout: -1 }, 'attemptTimeout')
  refused({ on: 7 }, 'on')
  refused({ clock: 7 }, 'clock')
  refused({ ref: 7 }, 'ref')
  refused({ retry: { budget: new Budget({ clock: new ManualClock() }) } }, 'clock')
})
