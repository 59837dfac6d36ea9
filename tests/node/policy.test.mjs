/** Policies: every bad document gives the same error as in Rust and Python; options give it in JavaScript's words. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Breaker, Budget, Guard, InvalidPolicy, ManualClock, Registry, Retry, exponential, schedule } from 'overcurrent'
import { guardedFetch } from 'overcurrent/fetch'
import { rejection } from './tools.mjs'

/** The error of a policy, as [path, value, rule]. */
function refusal(make) {
  let error
  try {
    make()
  } catch (thrown) {
    error = thrown
  }
  assert.ok(error instanceof InvalidPolicy, `expected a refusal, came ${error}`)
  const { path, value, rule } = error
  assert.equal(error.message, `invalid policy at \`${path}\`: \`${value}\` ${rule}`)
  assert.equal(error.code, 'INVALID_POLICY')
  return [path, value, rule]
}

const cases = JSON.parse(readFileSync(new URL('../bad-policies.json', import.meta.url), 'utf8'))

test('there are enough bad documents', () => assert.ok(cases.length >= 40))

for (const { name, format, document, path, value, rule } of cases) {
  test(`refuses ${name}`, () => {
    // What is wrong comes to light before the policy is looked for.
    assert.deepEqual(
      refusal(() => Guard.fromText(document, 'p', { format })),
      [path, value, rule],
    )
  })
}

const given = (options, ...expected) =>
  assert.deepEqual(
    refusal(() => new Guard('g', options)),
    expected,
  )

test('options are refused in camelCase, with their path', () => {
  given({ deadlin: 1 }, 'deadlin', 'deadlin', 'is not a field here, did you mean `deadline`?')
  given(
    { attempt_timeout: 1 },
    'attempt_timeout',
    'attempt_timeout',
    'is not a field here, did you mean `attemptTimeout`?',
  )
  given({ retry: { maxAttempts: 0 } }, 'retry.maxAttempts', '0', 'must be 1 to 1000')
  given({ retry: { maxAttempts: 2.5 } }, 'retry.maxAttempts', '2.5', 'must be a whole number')
  given({ breaker: { slowRate: 0.5 } }, 'breaker.slowRate', '0.5', 'needs `slowCall`')
  given(
    { breaker: { probeTimeout: '1s' } },
    'breaker.probeTimeout',
    '1s',
    'must not be below `attemptTimeout` of `10s`',
  )
  given(
    { retry: { backoff: exponential('2s', { max: '1s' }) } },
    'retry.backoff.exponential.initial',
    '2s',
    'must not exceed `max` of `1s`',
  )
  given(
    { retry: { backoff: schedule() } },
    'retry.backoff.schedule.delays',
    '[]',
    'must be a list of 1 to 1000 durations',
  )
})

test('a duration is milliseconds or text with a unit', () => {
  const rule = 'must be a duration: milliseconds, or text such as `250ms`'
  for (const deadline of [1, 0.5, 250.25, '250ms', '1.5s', 10n]) new Guard('g', { deadline, attemptTimeout: false })
  given({ deadline: NaN }, 'deadline', 'NaN', 'must be a finite number')
  given({ deadline: Infinity }, 'deadline', 'Infinity', 'must be a finite number')
  given({ deadline: -1 }, 'deadline', '-1', 'must not be negative')
  given({ deadline: '1' }, 'deadline', '1', 'must have a unit, one of ns us ms s m h')
  given({ deadline: true }, 'deadline', 'true', 'must be a duration, or `false` for none')
  given({ deadline: {} }, 'deadline', '{}', rule)
  given({ deadline: () => 1 }, 'deadline', 'a function', rule)
  given({ deadline: Symbol('s') }, 'deadline', 'a symbol', rule)
})

test('what is no plain object is no table of options', () => {
  given(new Map(), 'policy', '[object Map]', 'must be a table')
  given([], 'policy', '[]', 'must be a table')
  given('1s', 'policy', '1s', 'must be a table')
  given({ breaker: new Date(NaN) }, 'breaker', 'Invalid Date', 'must be a table, `true` or `false`')
  given({ retry: new Map() }, 'retry', '[object Map]', 'must be a table, `true` or `false`')
  const endless = {}
  endless.endless = endless
  assert.equal(refusal(() => new Guard('g', endless))[0], 'endless')
  const plain = Object.assign(Object.create(null), { deadline: '1s', attemptTimeout: '1s' })
  assert.equal(new Guard('g', plain).name, 'g')
})

test('undefined and null leave an option to its default', () => {
  const guard = new Guard('g', { deadline: undefined, retry: null, breaker: undefined, on: undefined })
  assert.equal(guard.breaker.state, 'closed')
  assert.equal(guard.budget.tokensMicro, 10_000_000)
})

test('a field whose reading throws throws that', () => {
  const options = {
    breaker: {
      get failureRate() {
        throw new RangeError('mine')
      },
    },
  }
  assert.throws(() => new Guard('g', options), { name: 'RangeError', message: 'mine' })
})

test('what only code can say is refused like the rest', () => {
  const matcher = 'must be an error class, a predicate or a list of them'
  given({ on: 'Error' }, 'on', 'Error', matcher)
  given({ ignore: [Error, 3] }, 'ignore', '3', matcher)
  given({ classify: 'failure' }, 'classify', 'failure', 'must be a function')
  given({ clock: {} }, 'clock', '[object Object]', 'must be a `ManualClock`')
  for (const seed of [-1, 0.5, 2n ** 64n, '1', NaN])
    given({ seed }, 'seed', `${seed}`, 'must be a whole number, 0 to 18446744073709551615')
  assert.deepEqual(
    refusal(() => new Guard(undefined)),
    ['name', 'undefined', 'must be a text'],
  )
  assert.deepEqual(refusal(() => new Guard(Object.create(null))), ['name', 'an object', 'must be a text'])
})

test('what stands in the place of something else is refused by name', () => {
  assert.deepEqual(refusal(() => Guard.fromText({}, 'g', { format: 'json' })), ['text', '[object Object]', 'must be a text'])
  assert.deepEqual(refusal(() => Guard.fromText('', 'g')), ['format', 'undefined', 'must be `toml` or `json`'])
  assert.deepEqual(refusal(() => new Registry('hosts', {})).slice(0, 2), ['options', 'hosts'])
  const guard = new Guard('g')
  assert.deepEqual(refusal(() => guardedFetch(guard)), ['options', 'a guard', 'must be `{ guards }`'])
  assert.deepEqual(refusal(() => guardedFetch(new Registry())), ['options', 'a registry', 'must be `{ guards }`'])
})

test('what a call is given is heeded or refused', async () => {
  const guard = new Guard('g')
  const path = async options => (await rejection(guard.call(() => 1, options))).path
  assert.equal(await path(new AbortController().signal), 'options')
  assert.equal(await path({ timeout: 100 }), 'timeout')
  assert.equal(await path(100), 'options')
  for (const options of [undefined, null, {}, { signal: undefined }, { signal: null, key: undefined }])
    assert.equal(await guard.call(() => 1, options), 1)
  assert.deepEqual([guard.breaker.late, await guard.drain()], [0, undefined])
})

test('a breaker, a retry and a budget refuse theirs', () => {
  assert.deepEqual(
    refusal(() => new Breaker('b', { probes: 2 })),
    ['probes', '2', 'must not exceed `closeAfter` + `reopenAfter` - 1, here `1`'],
  )
  assert.deepEqual(refusal(() => new Retry({ jitter: 'half' }))[0], 'jitter')
  assert.deepEqual(
    refusal(() => new Budget({ ratio: 2 })),
    ['ratio', '2', 'must be 0 to 1'],
  )
  assert.deepEqual(
    refusal(() => new Breaker().trip('25h')),
    ['for', '25h', 'must be at most 24h'],
  )
  assert.deepEqual(refusal(() => new Breaker().trip('soon'))[0], 'for')
  assert.deepEqual(
    refusal(() => new ManualClock().advance(-1)),
    ['advance', '-1', 'must not be negative'],
  )
  assert.deepEqual(refusal(() => new Retry().start({ deadline: '1' }))[0], 'deadline')
  assert.deepEqual(refusal(() => new Retry().start().failed({ hint: 'x' }))[0], 'hint')
  assert.deepEqual(refusal(() => new Breaker().acquire().success('x'))[0], 'took')
})

test('a document is read from a file, in the format its name says', t => {
  const folder = mkdtempSync(join(tmpdir(), 'overcurrent-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const toml = join(folder, 'overcurrent.toml')
  writeFileSync(toml, '[policy.payments]\nattempt_timeout = "2s"\nbreaker = { consecutive_failures = 1 }\n')
  const guard = Guard.fromFile(toml, 'payments')
  assert.equal(guard.name, 'payments')
  guard.breaker.acquire().failure()
  assert.equal(guard.breaker.state, 'open')
  assert.equal(Guard.fromFile(pathToFileURL(toml), 'payments').breaker.state, 'closed')

  const json = join(folder, 'overcurrent.json')
  writeFileSync(json, '{"policy": {"search": {"breaker": false, "retry": false}}}')
  const bare = Guard.fromFile(json, 'search')
  assert.deepEqual([bare.breaker, bare.budget], [undefined, undefined])

  assert.deepEqual(
    refusal(() => Guard.fromFile(toml, 'payment')),
    ['policy', 'payment', 'is not in the document, did you mean `payments`?'],
  )
  assert.throws(() => Guard.fromFile(join(folder, 'none.toml'), 'p'), { code: 'ENOENT' })
  writeFileSync(json, Buffer.from([0xff]))
  assert.throws(() => Guard.fromFile(json, 'p'), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' })
})

test('beside a document only what is no policy can be set', () => {
  const text = '[policy.p]\n'
  const options = { format: 'toml', seed: 1, clock: new ManualClock(), on: Error, ignore: [], classify() {} }
  assert.equal(Guard.fromText(text, 'p', options).name, 'p')
  assert.deepEqual(
    refusal(() => Guard.fromText(text, 'p', { format: 'toml', deadline: '1s' })),
    ['deadline', 'deadline', 'cannot be set beside a document'],
  )
  assert.deepEqual(
    refusal(() => Guard.fromText(text, 'p', { format: 'yaml' })),
    ['format', 'yaml', 'must be `toml` or `json`'],
  )
})
