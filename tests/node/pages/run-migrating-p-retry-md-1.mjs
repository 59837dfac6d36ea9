// Before
import assert from 'node:assert/strict'
import pRetry, { AbortError } from 'p-retry'

const statuses = [500, 500, 200]
async function load(attempt) {
  const status = statuses.shift()
  if (status === 404) throw new AbortError('no such order')
  if (status >= 500) throw new Error(`attempt ${attempt} met ${status}`)
  return 'order 7'
}

const tried = []
const order = await pRetry(load, {
  retries: 4,
  minTimeout: 100,
  maxTimeout: 5_000,
  onFailedAttempt: ({ error, retriesLeft }) => tried.push(`${error.message}, ${retriesLeft} left`),
})
assert.equal(order, 'order 7')
assert.deepEqual(tried, ['attempt 1 met 500, 4 left', 'attempt 2 met 500, 3 left'])
