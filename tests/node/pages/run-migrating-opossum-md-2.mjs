// After
import assert from 'node:assert/strict'
import { Guard } from 'overcurrent'

async function charge(order) {
  if (order === 'lost') await new Promise(resolve => setTimeout(resolve, 60_000))
  if (order === 'refused') throw new Error('refused')
  return `receipt for ${order}`
}

const payments = new Guard('payments', {
  deadline: false,
  attemptTimeout: '2s',
  retry: false,
  breaker: { failureRate: 0.5, minimumCalls: 4, cooldown: '5s', cooldownJitter: 0 },
})
const guarded = payments.wrap(charge)

assert.equal(await guarded('order 7'), 'receipt for order 7')
await assert.rejects(guarded('lost'), { code: 'ATTEMPT_TIMEOUT' })
await assert.rejects(guarded('refused'), { message: 'refused' })
await assert.rejects(guarded('refused'), { message: 'refused' })
await assert.rejects(guarded('order 8'), { code: 'BREAKER_OPEN', retryAfterMs: 5_000 })

await new Promise(resolve => setTimeout(resolve, 5_000))
assert.equal(await guarded('order 8'), 'receipt for order 8')
assert.equal(payments.breaker.state, 'closed')
