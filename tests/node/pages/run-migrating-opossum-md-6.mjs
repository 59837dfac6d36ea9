import assert from 'node:assert/strict'
import CircuitBreaker from 'opossum'
import { Guard } from 'overcurrent'

let hangs = true
const fn = () => (hangs ? new Promise(() => {}) : 'well again')
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

const before = new CircuitBreaker(fn, { timeout: false, resetTimeout: 1_000 })
before.open()
await sleep(1_000)
before.fire()
const after = new Guard('after', { deadline: false, attemptTimeout: false, retry: false, breaker: { cooldown: '1s', probeTimeout: '30s' } })
after.breaker.trip('1s')
await sleep(1_000)
after.call(fn)

hangs = false
await sleep(3_600_000)
await assert.rejects(before.fire(), { code: 'EOPENBREAKER' })
// The first caller learns that the probe is lost, a later one probes again.
await assert.rejects(after.call(fn), { code: 'BREAKER_OPEN' })
await sleep(2_000)
assert.equal(await after.call(fn), 'well again')
