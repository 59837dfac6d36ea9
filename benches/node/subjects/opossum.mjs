/** Rows of opossum. Its window is always one of time, its breaker always around one function. */
import { VALUE, answer, fail } from '../subject.mjs'

const NAME = 'opossum'

function peer(operation, window, label, make) {
  return { operation, whose: NAME, window, label, make: async () => make((await import(NAME)).default) }
}

/** Its figure hangs on how many calls the last 10 s saw: each failure sorts their latencies, where they are kept. */
function failing(label, options) {
  return peer('failure', 'time', label, Circuit => {
    const fn = value => (value === VALUE ? answer() : fail())
    const circuit = new Circuit(fn, { timeout: false, errorThresholdPercentage: 100, ...options })
    let calls = 0
    return async () => {
      if (calls++ % 10 === 0) await circuit.fire(VALUE)
      await circuit.fire()
    }
  })
}

export const opossum = [
  peer('breaker', 'time', 'timeout: false', Circuit => {
    const circuit = new Circuit(answer, { timeout: false })
    return () => circuit.fire()
  }),
  peer('timed', 'time', 'every default: no retry', Circuit => {
    const circuit = new Circuit(answer)
    return () => circuit.fire()
  }),
  failing('timeout: false', {}),
  failing('timeout: false, no percentiles', { rollingPercentilesEnabled: false }),
  peer('rejection', '', 'opened by hand', Circuit => {
    const circuit = new Circuit(answer, { timeout: false, resetTimeout: 3_600_000 })
    circuit.open()
    return () => circuit.fire()
  }),
]
