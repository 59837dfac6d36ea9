/** Rows of packages that only retry. */
import { answer } from '../subject.mjs'

function peer(whose, label, make) {
  return { operation: 'retry', whose, window: '', label, make }
}

export const retries = [
  peer('p-retry', '{ retries: 2 }', async () => {
    const { default: retry } = await import('p-retry')
    return () => retry(answer, { retries: 2 })
  }),
  peer('async-retry', '{ retries: 2 }', async () => {
    const { default: retry } = await import('async-retry')
    return () => retry(answer, { retries: 2 })
  }),
  peer('exponential-backoff', '{ numOfAttempts: 3 }', async () => {
    const { backOff } = await import('exponential-backoff')
    return () => backOff(answer, { numOfAttempts: 3 })
  }),
]
