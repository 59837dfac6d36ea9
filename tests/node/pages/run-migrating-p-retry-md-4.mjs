import assert from 'node:assert/strict'
import pRetry from 'p-retry'
import { Guard, callInfo } from 'overcurrent'

await assert.rejects(pRetry(() => Promise.reject('a text'), { retries: 0 }), TypeError)

const guard = new Guard('g')
assert.equal(await guard.call(() => Promise.reject('a text')).catch(thrown => thrown), 'a text')

const refused = new Error('refused')
await assert.rejects(guard.call(() => Promise.reject(refused)), refused)
assert.deepEqual(callInfo(refused).stop, 'attempts_exhausted')
