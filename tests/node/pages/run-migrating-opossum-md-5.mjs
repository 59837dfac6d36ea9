import assert from 'node:assert/strict'
import CircuitBreaker from 'opossum'
import { Guard } from 'overcurrent'

const answers = []
const slow = () => new Promise(resolve => answers.push(resolve))
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

const before = new CircuitBreaker(slow, { timeout: false, resetTimeout: 1_000 })
const early = before.fire()
before.open()
await sleep(1_000)
assert.equal(before.halfOpen, true)
answers.pop()('from before')
await early
assert.equal(before.closed, true)

const after = new Guard('after', { retry: false })
const late = after.call(slow)
after.breaker.trip('1s')
await sleep(1_000)
const probe = after.call(slow)
answers.shift()('from before')
await late
assert.deepEqual([after.breaker.state, after.breaker.late], ['half_open', 1])
answers.shift()('now')
await probe
assert.equal(after.breaker.state, 'closed')
