import assert from 'node:assert/strict'
import pRetry from 'p-retry'
import { Guard } from 'overcurrent'

const slow = () => new Promise(resolve => setTimeout(resolve, 5_000))

/** How long a call goes on that its caller gives up after 20 ms. */
async function lasts(call) {
  const caller = new AbortController()
  setTimeout(() => caller.abort(), 20)
  const began = performance.now()
  await assert.rejects(call(caller.signal), { name: 'AbortError' })
  return performance.now() - began
}

assert.equal(await lasts(signal => pRetry(slow, { signal })), 5_000)
assert.equal(await lasts(signal => new Guard('g').call(slow, { signal })), 20)
