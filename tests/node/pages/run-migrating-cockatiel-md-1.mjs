// Before
import assert from 'node:assert/strict'
import {
  ConsecutiveBreaker, ExponentialBackoff, TimeoutStrategy, circuitBreaker, handleAll, retry, timeout, wrap,
} from 'cockatiel'

const payments = wrap(
  retry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 5_000 }) }),
  circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(5) }),
  timeout(2_000, TimeoutStrategy.Aggressive),
)

let calls = 0
const receipt = await payments.execute(async ({ signal }) => {
  signal.throwIfAborted()
  if (++calls < 3) throw new Error('not yet')
  return 'receipt'
})
assert.equal(receipt, 'receipt')
