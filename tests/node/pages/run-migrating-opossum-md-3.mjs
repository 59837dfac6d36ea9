import assert from 'node:assert/strict'
import { BreakerOpen, Guard } from 'overcurrent'

const prices = new Guard('prices')
prices.breaker.forceOpen()

async function price(article) {
  try {
    return await prices.call(() => ({ article, cents: 4_200 }))
  } catch (error) {
    if (!(error instanceof BreakerOpen)) throw error
    return { article, cents: 4_000, stale: true }
  }
}

assert.deepEqual(await price('lamp'), { article: 'lamp', cents: 4_000, stale: true })
