/** The same types for CommonJS. */
import overcurrent = require('overcurrent')
import testing = require('overcurrent/testing')

const guard: overcurrent.Guard = new overcurrent.Guard('payments')
const answer: Promise<number> = guard.call(async () => 1)
const state: overcurrent.State | undefined = guard.breaker?.state
const instantly: Promise<number> = testing.instant(() => answer)
export = { answer, state, instantly }
