import assert from 'node:assert/strict'
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { Guard } from 'overcurrent'

const heeding = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

const before = circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(1) })
let caller = new AbortController()
let call = before.execute(heeding, caller.signal)
caller.abort()
await assert.rejects(call, { name: 'AbortError' })
assert.equal(before.state, CircuitState.Open)

const after = new Guard('after', { breaker: { consecutiveFailures: 1 } })
caller = new AbortController()
call = after.call(heeding, { signal: caller.signal })
caller.abort()
await assert.rejects(call, { name: 'AbortError' })
assert.equal(after.breaker.state, 'closed')
