import assert from 'node:assert/strict'
import retry from 'async-retry'
import { Guard } from 'overcurrent'

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const missing = new Error('no such order')

let made = 0
const before = retry(
  bail => {
    made++
    bail(missing)
    throw missing
  },
  { retries: 4, minTimeout: 100 },
)
await assert.rejects(before, missing)
assert.equal(made, 1)
await sleep(60_000)
assert.equal(made, 5)

made = 0
const guard = new Guard('g', { classify: ({ error }) => (error === missing ? { retryable: false } : undefined) })
const after = guard.call(() => {
  made++
  throw missing
})
await assert.rejects(after, missing)
await sleep(60_000)
assert.equal(made, 1)
