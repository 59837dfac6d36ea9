/**
 * Calls through a breaker on JavaScript's own clock, where healthy ones are decided and counted by
 * JavaScript in the words of the core: it decides as the model does, also for what settles late.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker } from 'overcurrent'
import { deferred, fakeTime } from '../tools.mjs'
import { BreakerModel, ms } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { breakerPolicies } from './policies.mjs'

const ignored = new Error('ignored')
const failure = new Error('failure')

const commands = fc.constantFrom('trip', 'reset', 'forceOpen', 'forceClosed', 'automatic')

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant({ do: 'call' }) },
    // A call that is answered at once, so that most of the traffic is healthy.
    { weight: 6, arbitrary: fc.constant({ do: 'call', answered: true }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('success', 'success', 'success', 'failure', 'ignored'),
        // Which of the calls that are out, the oldest one first.
        call: fc.integer({ min: 0, max: 3 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ do: commands }) },
  ),
  { maxLength: 80, size: 'max' },
)

test('calls through a breaker are decided as the model does', async t => {
  const tick = fakeTime(t)
  const began = performance.now()
  const now = () => ms(performance.now() - began)
  await check(
    fc.asyncProperty(breakerPolicies({ jitter: false }), steps, async (policy, steps) => {
      const breaker = new Breaker('b', { ...policy, ignore: error => error === ignored })
      const created = now()
      const since = () => now() - created
      const model = new BreakerModel(policy, 0n)
      const out = []
      const settle = async (call, outcome) => {
        if (outcome === 'success') call.resolve()
        else call.reject(outcome === 'failure' ? failure : ignored)
        assert.equal(await call.result, outcome)
        model.record(call.pass, outcome, since() - call.pass.at, since())
      }
      for (const step of steps) {
        if (step.do === 'advance') {
          tick(step.by)
        } else if (step.do === 'call') {
          const call = { ...deferred(), ran: false }
          call.result = breaker.call(() => ((call.ran = true), call.promise)).then(
            () => 'success',
            error => error.reason ?? error.message,
          )
          call.pass = model.acquire(since())
          assert.equal(call.ran, call.pass.rejected === undefined)
          if (!call.ran) assert.equal(await call.result, call.pass.rejected)
          else if (step.answered) await settle(call, 'success')
          else out.push(call)
        } else if (step.call !== undefined) {
          const [call] = out.splice(step.call, 1)
          if (call !== undefined) await settle(call, step.do)
        } else {
          breaker[step.do]()
          model[step.do](since())
        }
        assert.deepEqual(
          [breaker.state, breaker.reason, breaker.late],
          [model.position, model.reason, model.late],
        )
      }
    }),
  )
})
