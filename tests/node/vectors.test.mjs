/** The vectors, replayed through the public API; and that a wrong one is found out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Summary, replayAll } from './vectors.mjs'

test('every vector passes', () => {
  const { passed, failures } = replayAll(fileURLToPath(new URL('../vectors', import.meta.url)))
  assert.deepEqual(failures, [])
  assert.deepEqual([...passed.keys()].sort(), ['breaker', 'budget', 'retry'])
  for (const { vectors, steps } of passed.values()) assert.ok(vectors > 5 && steps > 100)
})

const breaker = {
  name: 'v',
  kind: 'breaker',
  policy: { consecutive_failures: 1, cooldown: '1s', cooldown_jitter: 0 },
  seed: '1',
}
const failing = {
  'a wrong answer': [{ at: '0ms', do: 'acquire', expect: { granted: false } }],
  'a wrong state': [{ at: '0ms', do: 'acquire', state: 'open' }],
  'a wrong reason': [{ at: '0ms', do: 'trip', reason: 'failure_rate' }],
  'a wrong hint': [
    { at: '0ms', do: 'trip' },
    { at: '1ns', do: 'acquire', expect: { rejected: 'open', retry_after: '1s' } },
  ],
  'a wrong count': [{ at: '0ms', do: 'reset', late: 1 }],
  'an unknown field of a step': [{ at: '0ms', do: 'reset', states: 'closed' }],
  'an unknown field of an answer': [{ at: '0ms', do: 'acquire', expect: { grant: true } }],
  'an unknown thing to do': [{ at: '0ms', do: 'toString' }],
  'a time without a unit': [{ at: '0', do: 'reset' }],
}
for (const [name, steps] of Object.entries(failing)) {
  test(`a vector with ${name} fails at its last step`, () => {
    const summary = new Summary()
    summary.replay({ ...breaker, steps })
    assert.equal(summary.failures.length, 1)
    assert.match(summary.failures[0], new RegExp(`^breaker \`v\`, step ${steps.length}: `))
    assert.deepEqual(summary.passed.get('breaker'), { vectors: 0, steps: steps.length - 1 })
  })
}

test('a wrong wait, a wrong stop and a wrong budget fail', () => {
  const summary = new Summary()
  const retry = {
    name: 'v',
    kind: 'retry',
    policy: { backoff: { constant: { delay: '1s' } }, jitter: 'none' },
    seed: '1',
  }
  const start = { at: '0ms', do: 'start' }
  summary.replay({ ...retry, steps: [start, { at: '0ms', do: 'failed', expect: { wait: '1000000001ns' } }] })
  summary.replay({ ...retry, steps: [start, { at: '0ms', do: 'failed', expect: { stop: 'deadline' } }] })
  summary.replay({
    name: 'v',
    kind: 'budget',
    policy: { burst: 1 },
    seed: '1',
    steps: [{ at: '0ms', do: 'deposit', tokens_micro: 1 }],
  })
  summary.replay({ ...retry, extra: 1, steps: [] })
  assert.equal(summary.failures.length, 4, summary.failures.join('\n'))
})
