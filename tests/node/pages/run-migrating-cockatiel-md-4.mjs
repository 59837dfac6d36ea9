import assert from 'node:assert/strict'
import { ConsecutiveBreaker, ConstantBackoff, circuitBreaker, handleAll, retry, wrap } from 'cockatiel'
import { Guard, callInfo, constant } from 'overcurrent'

const refused = new Error('refused')
const fail = async () => {
  throw refused
}

const before = wrap(
  retry(handleAll, { maxAttempts: 3, backoff: new ConstantBackoff(1_000) }),
  circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(1) }),
)
let began = performance.now()
await assert.rejects(before.execute(fail), { name: 'Error', message: /breaker is open/ })
assert.equal(performance.now() - began, 3_000)

const after = new Guard('after', {
  retry: { maxAttempts: 4, backoff: constant('1s'), jitter: 'none' },
  breaker: { consecutiveFailures: 1, cooldown: '60s' },
})
began = performance.now()
await assert.rejects(after.call(fail), refused)
assert.equal(performance.now() - began, 0)
assert.equal(callInfo(refused).stop, 'breaker_open')
