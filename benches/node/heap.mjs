/**
 * How many bytes of the heap a call takes, used up or not: the growth of the heap while nothing is
 * collected. For that the process runs with `FLAGS`, which make room for the new objects and give `gc`.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { measure } from './slice.mjs'

export const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']

/** For how many ms the code runs before, until it is compiled for good and leaves nothing of that behind. */
const WARM_UP = 300
/** How often it is tried again where something was collected all the same, with half the calls each time. */
const TRIES = 6

/** Bytes per call of at most `calls` calls; `null` where the collector cannot be kept out. */
export async function allocated(repeat, once, calls) {
  const { nanos } = await measure(repeat, once, WARM_UP, 1)
  let count = Math.max(1, Math.min(calls, Math.floor((WARM_UP * 1e6) / nanos)))
  for (let tries = 0; tries < TRIES; tries++, count = Math.ceil(count / 2)) {
    const bytes = await grown(repeat, once, count)
    if (bytes !== undefined) return bytes / count
  }
  return null
}

async function grown(repeat, once, calls) {
  globalThis.gc()
  await told()
  let collected = false
  const observer = new PerformanceObserver(() => (collected = true))
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  await repeat(once, calls)
  const after = process.memoryUsage().heapUsed
  await told()
  observer.disconnect()
  return collected ? undefined : after - before
}

/** Lets the observers hear of what was collected. */
async function told() {
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve))
}
