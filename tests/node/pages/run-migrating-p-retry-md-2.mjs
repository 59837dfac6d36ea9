// After
import assert from 'node:assert/strict'
import { Guard, exponential } from 'overcurrent'

class NotFound extends Error {}

const statuses = [500, 500, 200]
async function load({ attempt }) {
  const status = statuses.shift()
  if (status === 404) throw new NotFound('no such order')
  if (status >= 500) throw new Error(`attempt ${attempt} met ${status}`)
  return 'order 7'
}

const orders = new Guard('orders', {
  deadline: false,
  attemptTimeout: false,
  breaker: false,
  retry: { maxAttempts: 5, backoff: exponential('100ms', { max: '5s' }), budget: false },
  classify: ({ error }) => (error instanceof NotFound ? { retryable: false } : undefined),
})
assert.equal(await orders.call(load), 'order 7')
