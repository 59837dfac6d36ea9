import assert from 'node:assert/strict'
import CircuitBreaker from 'opossum'
import { Guard } from 'overcurrent'

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const seen = { before: [], after: [] }

const abortController = new AbortController()
const before = new CircuitBreaker(
  async ms => {
    await sleep(ms)
    seen.before.push([ms, abortController.signal.aborted])
  },
  { timeout: 1_000, abortController, volumeThreshold: 10 },
)
const first = before.fire(5_000)
await sleep(500)
await Promise.allSettled([first, before.fire(900)])
// The second was in time, and aborted all the same.
assert.deepEqual(seen.before, [[900, true]])

const after = new Guard('after', { attemptTimeout: '1s', retry: false })
const call = ms =>
  after.call(async ({ signal }) => {
    await sleep(ms)
    seen.after.push([ms, signal.aborted])
  })
const hanging = call(5_000)
await sleep(500)
await Promise.allSettled([hanging, call(900)])
assert.deepEqual(seen.after, [[900, false]])
