import assert from 'node:assert/strict'
import pRetry from 'p-retry'
import { Guard } from 'overcurrent'

/** How many attempts are made of a function that has a bug. */
async function attempts(call) {
  let made = 0
  await call(() => {
    made++
    return undefined.name
  }).catch(() => {})
  return made
}

assert.equal(await attempts(fn => pRetry(fn, { retries: 2 })), 1)
assert.equal(await attempts(fn => new Guard('any').call(fn)), 3)
assert.equal(await attempts(fn => new Guard('no bugs', { ignore: TypeError }).call(fn)), 1)
