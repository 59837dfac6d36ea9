/** The same types for CommonJS. */
import overcurrent = require('overcurrent')

const guard: overcurrent.Guard = new overcurrent.Guard('payments')
const answer: Promise<number> = guard.call(async () => 1)
const state: overcurrent.State | undefined = guard.breaker?.state
export = { answer, state }
