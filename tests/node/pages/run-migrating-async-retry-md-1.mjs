// Before
import assert from 'node:assert/strict'
import retry from 'async-retry'

const statuses = [500, 500, 200]
const tried = []
const order = await retry(
  async (bail, attempt) => {
    const status = statuses.shift()
    if (status === 404) return bail(new Error('no such order'))
    if (status >= 500) throw new Error(`attempt ${attempt} met ${status}`)
    return 'order 7'
  },
  { retries: 4, minTimeout: 100, maxTimeout: 5_000, onRetry: error => tried.push(error.message) },
)
assert.equal(order, 'order 7')
assert.deepEqual(tried, ['attempt 1 met 500', 'attempt 2 met 500'])
