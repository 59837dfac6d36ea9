// After
import assert from 'node:assert/strict'
import { Guard, exponential } from 'overcurrent'

const payments = new Guard('payments', {
  deadline: false,
  attemptTimeout: '2s',
  retry: { maxAttempts: 4, backoff: exponential('100ms', { max: '5s' }), jitter: 'decorrelated', budget: false },
  breaker: { consecutiveFailures: 5, cooldown: '5s', cooldownMultiplier: 1 },
})

let calls = 0
const receipt = await payments.call(async ({ signal }) => {
  signal.throwIfAborted()
  if (++calls < 3) throw new Error('not yet')
  return 'receipt'
})
assert.equal(receipt, 'receipt')
