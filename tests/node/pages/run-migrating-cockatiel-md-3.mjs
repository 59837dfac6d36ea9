import assert from 'node:assert/strict'
import { Guard } from 'overcurrent'

class NetworkError extends Error {}

const stock = new Guard('stock', {
  on: NetworkError,
  classify: ({ value }) => (value?.status >= 500 ? 'failure' : undefined),
  retry: { backoff: 'none' },
})
const statuses = [503, 200]
assert.deepEqual(await stock.call(() => ({ status: statuses.shift() })), { status: 200 })
