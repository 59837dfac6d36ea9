import assert from 'node:assert/strict'
import { CircuitState, SamplingBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { Breaker } from 'overcurrent'

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const fail = async () => {
  throw new Error('down')
}
const before = circuitBreaker(handleAll, {
  halfOpenAfter: 5_000,
  breaker: new SamplingBreaker({ duration: 5_000, threshold: 0.5, minimumRps: 4 }),
})
const after = new Breaker('after', { window: { time: '5s' }, failureRate: 0.5, minimumCalls: 20 })

for (let call = 0; call < 19; call++) {
  await before.execute(fail).catch(() => {})
  await after.call(fail).catch(() => {})
}
await sleep(3_600_000)
await before.execute(fail).catch(() => {})
await after.call(fail).catch(() => {})
assert.equal(before.state, CircuitState.Open)
assert.equal(after.state, 'closed')
