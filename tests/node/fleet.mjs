/** One thread of several that use one guard or breaker: does what it is told, when it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import { Breaker, Guard } from 'overcurrent'

const { guard: guardToken, breaker: breakerToken, gauge, options } = workerData
const guard = guardToken && Guard.from(guardToken, options?.ignored ? { classify: () => 'ignored' } : {})
const breaker = breakerToken && Breaker.from(breakerToken)
const turn = () => new Promise(resolve => setImmediate(resolve))

let release
const held = new Promise(resolve => (release = resolve))
let pending = []

const tasks = {
  /** So many successes and failures, mixed. */
  async load({ successes, failures }) {
    let failed = 0
    for (let n = 0; n < successes + failures; n++) {
      const fail = Math.floor((n + 1) * (failures / (successes + failures))) > failed
      const fn = () => {
        if (fail) throw new Error('no')
      }
      if (fail) failed++
      await (guard ?? breaker).call(fn).catch(() => {})
      if (n % 100 === 0) await turn()
    }
    return failed
  },
  /** Begins calls that `release` ends. */
  async hold(calls) {
    pending = Array.from({ length: calls }, () => guard.call(() => held))
    await turn()
  },
  async release() {
    release()
    await Promise.all(pending)
  },
  /** Calls again and again, and notes how many run at once in all threads, and how many ran. */
  async hammer(calls) {
    const words = new Int32Array(gauge)
    const one = async () => {
      const now = Atomics.add(words, 0, 1) + 1
      for (let most = Atomics.load(words, 1); now > most; most = Atomics.load(words, 1))
        Atomics.compareExchange(words, 1, most, now)
      Atomics.add(words, 2, 1)
      await turn()
      Atomics.sub(words, 0, 1)
    }
    for (let n = 0; n < calls; n++) {
      await Promise.all([1, 2, 3].map(() => guard.call(one).catch(() => {})))
      await turn()
    }
  },
  /** How many attempts so many failing calls made. */
  async attempts(calls) {
    let attempts = 0
    const fail = () => {
      attempts++
      throw new Error('no')
    }
    await Promise.all(Array.from({ length: calls }, () => guard.call(fail).catch(() => {})))
    return attempts
  },
  state: async () => ({ state: (breaker ?? guard.breaker).state, late: (breaker ?? guard.breaker).late }),
  trip: async time => (breaker ?? guard.breaker).trip(time),
  async end() {
    const before = process.hrtime.bigint()
    const { retryAfterMs } = breaker ?? guard.breaker
    return [before, process.hrtime.bigint()].map(at => Number(at) / 1e6 + retryAfterMs)
  },
  share: async () => new Guard('of a thread', { breaker: { consecutiveFailures: 1 } }).share(),
}

parentPort.on('message', async ({ id, task, argument }) => {
  try {
    parentPort.postMessage({ id, answer: await tasks[task](argument) })
  } catch (error) {
    parentPort.postMessage({ id, error: error.stack })
  }
})
