/**
 * Calls through a breaker on JavaScript's own clock, where healthy ones are decided and counted by
 * JavaScript in the words of the core: it decides as the model does, also for what settles late.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker } from 'overcurrent'
import { deferred, fakeTime, turn } from '../tools.mjs'
import { BreakerModel, ms } from './breaker_model.mjs'
import { check } from './cases.mjs'
import { breakerPolicies } from './policies.mjs'

const ignored = new Error('ignored')
const failure = new Error('failure')

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ do: 'call' }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('success', 'success', 'success', 'failure', 'ignored'),
        // Which of the calls that are out, the oldest one first.
        call: fc.integer({ min: 0, max: 3 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('advance'), by: fc.integer({ min: 0, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('trip', 'reset', 'forceOpen', 'forceClosed', 'automatic') }) },
  ),
  { maxLength: 80, size: 'max' },
)

test('calls through a breaker are decided as the model does', async t => {
  const tick = fakeTime(t)
  const began = performance.now()
  const now = () => ms(performance.now() - began)
  await check(
    // Nothing is drawn: the seed would be the same, but the draws of the two are told apart elsewhere.
    fc.asyncProperty(breakerPolicies({ jitter: false }), steps, async (policy, steps) => {
      const breaker = new Breaker('b', { ...policy, ignore: error => error === ignored })
      const created = now()
      const since = () => now() - created
      const model = new BreakerModel(policy, 0n)
      const out = []
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
          if (call.ran) out.push(call)
          else assert.equal(await call.result, call.pass.rejected)
        } else if (step.call !== undefined) {
          const [call] = out.splice(step.call, 1)
          if (call === undefined) continue
          if (step.do === 'success') call.resolve()
          else call.reject(step.do === 'failure' ? failure : ignored)
          await turn()
          model.record(call.pass, step.do, since() - call.pass.at, since())
          assert.equal(await call.result, step.do)
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
