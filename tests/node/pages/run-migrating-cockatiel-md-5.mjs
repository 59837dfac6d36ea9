import assert from 'node:assert/strict'
import { ConstantBackoff, handleAll, retry } from 'cockatiel'
import { Guard, constant } from 'overcurrent'

const fail = async () => {
  throw new Error('not yet')
}
const enough = new Error('enough')

/** How long a call goes on that its caller gives up after 20 ms. */
async function lasts(call) {
  const caller = new AbortController()
  setTimeout(() => caller.abort(enough), 20)
  const began = performance.now()
  await call(caller.signal).catch(() => {})
  return performance.now() - began
}

const before = retry(handleAll, { maxAttempts: 3, backoff: new ConstantBackoff(400) })
assert.equal(await lasts(signal => before.execute(fail, signal)), 400)

const after = new Guard('after', { retry: { backoff: constant(400), jitter: 'none' } })
assert.equal(await lasts(signal => after.call(fail, { signal })), 20)
