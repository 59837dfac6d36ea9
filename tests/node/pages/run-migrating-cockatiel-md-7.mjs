import assert from 'node:assert/strict'
import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { Guard } from 'overcurrent'

const hang = () => new Promise(() => {})
const fail = async () => {
  throw new Error('down')
}
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

const before = circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(1) })
await assert.rejects(before.execute(fail))
await sleep(5_000)
before.execute(hang)
let settled = false
before.execute(() => 'well').finally(() => (settled = true))
await sleep(3_600_000)
assert.equal(settled, false)

const after = new Guard('after', { retry: false, breaker: { consecutiveFailures: 1, cooldown: '5s', cooldownJitter: 0 } })
await assert.rejects(after.call(fail))
await sleep(5_000)
after.call(hang).catch(() => {})
await assert.rejects(after.call(() => 'well'), { code: 'BREAKER_OPEN', reason: 'half_open' })
