/** What `console.log` and a REPL show of objects. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Breaker, Budget, Guard, ManualClock, Registry, Retry, compose, subscribe } from 'overcurrent'

test('each object shows its class and where it stands', () => {
  const clock = new ManualClock()
  clock.advance('1s')
  const breaker = new Breaker('bank', { clock, consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 })
  assert.equal(inspect(breaker), "Breaker { name: 'bank', state: 'closed' }")
  breaker.acquire().failure()
  assert.equal(
    inspect(breaker, { breakLength: Infinity }),
    "Breaker { name: 'bank', state: 'open', reason: 'consecutive_failures', retryAfterMs: 5000 }",
  )
  const hosts = new Registry({ capacity: 3 })
  const guard = hosts.guard('one')
  assert.equal(inspect(hosts), 'Registry { size: 1, capacity: 3, evictions: 0 }')
  assert.equal(inspect(new Budget({ burst: 2 })), 'Budget { tokensMicro: 2000000 }')
  assert.equal(inspect(new Retry()), 'Retry {}')
  assert.equal(inspect(new Retry({ budget: new Budget({ burst: 2 }) })), 'Retry { budget: Budget { tokensMicro: 2000000 } }')
  assert.equal(inspect(clock), 'ManualClock { nowNs: 1000000000n }')
  assert.match(inspect(guard), /^Guard \{\s+name: 'one',\s+breaker: Breaker \{ name: 'one', state: 'closed' \},\s+budget: Budget \{/)
  assert.match(inspect(compose(guard, guard)), /^Composed \{\s+guards: \[\s+Guard \{/)
  assert.match(inspect(guard.metrics()), /^Metrics \{\s+families: \[\s+\{\s+name: 'overcurrent_/)
  const subscription = subscribe(() => {})
  assert.equal(inspect(subscription), 'Subscription { dropped: 0 }')
  subscription.close()
})

test('a derived class is shown by its own name, at any depth', () => {
  class Bank extends Breaker {}
  assert.equal(inspect(new Bank('own')), "Bank { name: 'own', state: 'closed' }")
  assert.equal(inspect({ at: { some: { depth: new Bank('own') } } }), '{ at: { some: { depth: [Bank] } } }')
})

test('what a function is told of its attempt can be logged as JSON', async () => {
  const clock = new ManualClock()
  const guard = new Guard('one', { clock, attemptTimeout: '2s', retry: { backoff: 'none' } })
  const told = []
  await guard.call(context => {
    told.push(JSON.stringify({ context }))
    if (context.attempt === 1) throw new Error('down')
  })
  await new Guard('two', { clock, attemptTimeout: false, deadline: false, breaker: false }).call(context => {
    told.push(JSON.stringify({ context }))
  })
  assert.deepEqual(told, [
    '{"context":{"attempt":1,"remaining":2000}}',
    '{"context":{"attempt":2,"remaining":2000}}',
    '{"context":{"attempt":1}}',
  ])
})
