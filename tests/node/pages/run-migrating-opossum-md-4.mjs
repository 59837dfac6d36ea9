import assert from 'node:assert/strict'
import CircuitBreaker from 'opossum'
import { Guard } from 'overcurrent'

const fail = async () => {
  throw new Error('once')
}

const before = new CircuitBreaker(fail)
await assert.rejects(before.fire())
assert.equal(before.opened, true)

const after = new Guard('after', { retry: false })
await assert.rejects(after.call(fail))
assert.equal(after.breaker.state, 'closed')
