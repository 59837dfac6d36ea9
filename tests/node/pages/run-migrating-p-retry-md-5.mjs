import assert from 'node:assert/strict'
import pRetry from 'p-retry'
import { Guard, constant } from 'overcurrent'

/** When the attempts of a function that always fails begin, and when the caller knows. */
async function times(call) {
  const began = performance.now()
  const times = []
  const end = await call(() => {
    times.push(performance.now() - began)
    throw new Error('down')
  }).catch(() => performance.now() - began)
  return [...times, end]
}

const options = { retries: 9, factor: 1, minTimeout: 400, maxRetryTime: 1_000 }
assert.deepEqual(await times(fn => pRetry(fn, options)), [0, 400, 800, 1_000, 1_000])

const guard = new Guard('g', {
  deadline: '1s',
  breaker: false,
  retry: { maxAttempts: 10, backoff: constant('400ms'), jitter: 'none', budget: false },
})
assert.deepEqual(await times(fn => guard.call(fn)), [0, 400, 800, 800])
