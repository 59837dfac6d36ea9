// Before
import assert from 'node:assert/strict'
import CircuitBreaker from 'opossum'

async function charge(order) {
  if (order === 'lost') await new Promise(resolve => setTimeout(resolve, 60_000))
  if (order === 'refused') throw new Error('refused')
  return `receipt for ${order}`
}

const payments = new CircuitBreaker(charge, {
  name: 'payments',
  timeout: 2_000,
  errorThresholdPercentage: 50,
  resetTimeout: 5_000,
  volumeThreshold: 4,
})

assert.equal(await payments.fire('order 7'), 'receipt for order 7')
await assert.rejects(payments.fire('lost'), { code: 'ETIMEDOUT' })
await assert.rejects(payments.fire('refused'), { message: 'refused' })
await assert.rejects(payments.fire('refused'), { message: 'refused' })
await assert.rejects(payments.fire('order 8'), { code: 'EOPENBREAKER' })

await new Promise(resolve => setTimeout(resolve, 5_000))
assert.equal(await payments.fire('order 8'), 'receipt for order 8')
assert.equal(payments.closed, true)
