import assert from 'node:assert/strict'
import { Guard, constant } from 'overcurrent'

const guard = new Guard('g', { retry: { backoff: constant('10s'), jitter: 'none' } })
const caller = new AbortController()
setTimeout(() => caller.abort(new Error('the user went away')), 20)

const began = performance.now()
const call = guard.call(() => Promise.reject(new Error('down')), { signal: caller.signal })
await assert.rejects(call, { message: 'the user went away' })
assert.equal(performance.now() - began, 20)
