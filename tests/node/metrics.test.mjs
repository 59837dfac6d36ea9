/** What is counted: each call and each attempt once, whichever way it goes; whose it is, and how it can be read. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Breaker, Budget, Guard, InvalidPolicy, ManualClock, Metrics, Registry, RegistryFull, Retry, metrics } from 'overcurrent'
import { disabled } from 'overcurrent/testing'
import { callsOf, counted, deferred, fakeTime, rejection, turn } from './tools.mjs'

const fail = () => {
  throw new Error('no')
}
const never = () => new Promise(() => {})
const BARE = { deadline: false, attemptTimeout: false, retry: false, breaker: false }

/** How guards may count: in place or in the core, with and without each of the parts that a call goes through. */
const GUARDS = {
  'by default': {},
  'with nothing': BARE,
  'with a breaker alone': { ...BARE, breaker: { consecutiveFailures: 5, probeTimeout: '1m' } },
  'without a window': { breaker: { consecutiveFailures: 5 } },
  'with slow calls': { breaker: { slowCall: '1s' } },
  'with a budget that is not full': { retry: { budget: { burst: 1, ratio: 0.1 } } },
  'that looks at values': { classify: () => undefined },
  'that measures durations': { durations: true },
  'on a manual clock': { clock: new ManualClock() },
}

for (const [title, options] of Object.entries(GUARDS)) {
  test(`a guard ${title} counts each call once, however it ends`, async () => {
    const once = { ...options, retry: options.retry === false ? false : { ...options.retry, maxAttempts: 1 } }
    const guard = new Guard('g', once)
    const calls = { success: 0, failure: 0, cancelled: 0 }
    const nothing = { calls: {}, attempts: {}, inFlight: 0 }
    assert.deepEqual(callsOf(guard), nothing)
    const check = (word, more = 1) => {
      calls[word] += more
      const came = Object.fromEntries(Object.entries(calls).filter(([, count]) => count > 0))
      assert.deepEqual(callsOf(guard), { calls: came, attempts: came, inFlight: 0 })
    }

    await guard.call(() => 'at once')
    check('success')
    await guard.call(async () => turn())
    check('success')
    await rejection(guard.call(fail))
    check('failure')
    await rejection(guard.call(() => turn().then(fail)))
    check('failure')
    await guard.call(() => 1, { key: 'k', signal: new AbortController().signal })
    check('success')

    const under = deferred()
    const many = Array.from({ length: 7 }, () => guard.call(() => under.promise))
    assert.equal(callsOf(guard).inFlight, 7)
    under.resolve()
    await Promise.all(many)
    check('success', 7)

    // A call that the guard refuses to begin is none.
    await assert.rejects(guard.call('no function'), TypeError)
    await rejection(guard.call(never, { signal: AbortSignal.abort() }))
    check('cancelled', 0)
    const caller = new AbortController()
    const given = rejection(guard.call(never, { signal: caller.signal }))
    assert.equal(callsOf(guard).inFlight, 1)
    caller.abort()
    await given
    check('cancelled')
    await guard.call(() => 1)
    check('success')

    const ended = [guard.call(never), guard.call(never, { key: 'k' })].map(rejection)
    assert.equal(callsOf(guard).inFlight, 2)
    guard[Symbol.dispose]()
    await Promise.all(ended)
    check('cancelled', 2)
    await rejection(guard.call(() => 1))
    check('cancelled', 0)
  })
}

test('calls that are cut, retried, rejected and ignored count as such', async t => {
  const tick = fakeTime(t)
  const backoff = { constant: { delay: '1s' } }
  const guard = new Guard('g', {
    deadline: '10s',
    attemptTimeout: '2s',
    retry: { maxAttempts: 2, backoff, jitter: 'none', budget: { burst: 3, ratio: 0, minPerSecond: 0 } },
    breaker: { consecutiveFailures: 100 },
    ignore: error => error === 'ignored',
  })
  /** What has changed since it was asked last. */
  let before = { calls: {}, attempts: {} }
  const came = () => {
    const now = callsOf(guard)
    const more = name => {
      const differences = Object.entries(now[name]).map(([word, count]) => [word, count - (before[name][word] ?? 0)])
      return Object.fromEntries(differences.filter(([, count]) => count > 0))
    }
    const answer = [more('calls'), more('attempts'), now.inFlight]
    before = now
    return answer
  }

  const cut = rejection(guard.call(never))
  tick(2000)
  await turn()
  assert.deepEqual(came(), [{}, { timeout: 1 }, 1])
  tick(1000)
  await turn()
  tick(2000)
  assert.equal((await cut).code, 'ATTEMPT_TIMEOUT')
  assert.deepEqual(came(), [{ timeout: 1 }, { timeout: 1 }, 0])

  let attempts = 0
  const retried = guard.call(() => (++attempts === 1 ? fail() : 'paid'))
  await turn()
  assert.deepEqual(came(), [{}, { failure: 1 }, 1])
  tick(1000)
  await retried
  assert.deepEqual(came(), [{ success: 1 }, { success: 1 }, 0])

  assert.equal(await rejection(guard.call(() => Promise.reject('ignored'))), 'ignored')
  assert.deepEqual(came(), [{ ignored: 1 }, { ignored: 1 }, 0])

  const caller = new AbortController()
  const waits = rejection(guard.call(fail, { signal: caller.signal }))
  await turn()
  caller.abort()
  await waits
  assert.deepEqual(came(), [{ cancelled: 1 }, { failure: 1 }, 0])

  await rejection(guard.call(fail))
  assert.deepEqual(came(), [{ failure: 1 }, { failure: 1 }, 0])

  guard.breaker.forceOpen()
  await rejection(guard.call(fail))
  await rejection(guard.breaker.call(fail))
  assert.deepEqual(came(), [{ rejected: 1 }, {}, 0])

  const all = guard.metrics()
  const of = (name, label) => counted(all, `overcurrent_${name}`, label)
  assert.deepEqual(of('retries_total', 'reason'), { backoff: 3 })
  assert.deepEqual(of('give_ups_total', 'reason'), { attempts_exhausted: 1, budget_exhausted: 1 })
  assert.deepEqual(of('rejections_total', 'reason'), { forced_open: 2 })
  assert.deepEqual(of('breaker_state', 'state'), { forced_open: 1 })
  assert.deepEqual(of('breaker_transitions_total', 'to'), { forced_open: 1 })
  assert.deepEqual(of('budget_tokens', 'guard'), {})
})

test('durations are counted where they are asked for, by size, in seconds', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('timed', { retry: false, breaker: { consecutiveFailures: 2 }, durations: true })
  for (const took of [0, 5, 6, 400, 11_000]) {
    const { promise, resolve } = deferred()
    const call = guard.call(() => promise).catch(() => {})
    tick(took)
    resolve()
    await call
  }
  await rejection(guard.call(fail))
  guard.breaker.forceOpen()
  await rejection(guard.call(fail))
  const family = guard.metrics().families.find(({ kind }) => kind === 'histogram')
  assert.equal(family.name, 'overcurrent_call_duration_seconds')
  const [{ labels, value }] = family.samples
  assert.deepEqual(labels, { guard: 'timed' })
  const { buckets, sum, count } = value
  // One was cut after 10 s; the rejected one did not take any time.
  assert.equal(Math.round(sum * 1e3), 5 + 6 + 400 + 10_000)
  assert.equal(count, 6)
  const below = Object.fromEntries(buckets.map(({ le, count }) => [le, count]))
  assert.deepEqual([below[0.005], below[0.01], below[0.25], below[0.5], below[5], below[10], below.Infinity], [3, 4, 4, 5, 5, 6, 6])

  assert.equal(new Guard('g').metrics().families.some(({ kind }) => kind === 'histogram'), false)
  assert.throws(() => new Guard('g', { durations: 1 }), {
    code: 'INVALID_POLICY',
    path: 'durations',
    rule: 'must be true or false',
  })
  assert.throws(() => new Registry({ durations: 'yes' }), InvalidPolicy)
  const keyed = new Registry({ durations: true }).guard('k')
  await keyed.call(() => 1)
  assert.equal(keyed.metrics().families.find(({ kind }) => kind === 'histogram').samples[0].value.count, 1)
})

/** The values of a text, by what stands before them. */
function samplesOf(text) {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

test('what can be read as values is what stands in the text', async () => {
  const guard = new Guard('a "name"', { durations: true, retry: { maxAttempts: 1 } })
  await guard.call(() => 1)
  await rejection(guard.call(fail))
  const all = guard.metrics()
  const escaped = text => text.replaceAll('"', '\\"')
  const expected = new Map()
  for (const { name, labels: names, samples } of all.families) {
    const sample = (suffix, labels, value) => {
      const shown = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
      expected.set(`${name}${suffix}{${shown}}`, value)
    }
    for (const { labels, value } of samples) {
      assert.deepEqual(Object.keys(labels), names)
      if (typeof value === 'number') {
        sample('', labels, value)
        continue
      }
      for (const { le, count } of value.buckets) {
        const bound = le === Infinity ? '+Inf' : Number.isInteger(le) ? `${le}.0` : `${le}`
        sample('_bucket', { ...labels, le: bound }, count)
      }
      sample('_sum', labels, value.sum)
      sample('_count', labels, value.count)
    }
  }
  assert.ok(expected.size > 80, `${expected.size} samples`)
  assert.deepEqual(samplesOf(all.prometheus()), expected)
  assert.deepEqual(samplesOf(all.openMetrics()), expected)
  assert.equal(`${all}`, all.prometheus())
  for (const { name, kind, help } of all.families) {
    assert.ok(all.prometheus().includes(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`), name)
    assert.ok(all.openMetrics().includes(`# TYPE ${name.replace(/_total$/, '')} ${kind}\n`), name)
  }
  assert.match(all.openMetrics(), /\n# EOF\n$/)
  assert.deepEqual(
    [Metrics.PROMETHEUS, Metrics.OPENMETRICS],
    ['text/plain; version=0.0.4; charset=utf-8', 'application/openmetrics-text; version=1.0.0; charset=utf-8'],
  )
  // What was read stays as it was.
  await guard.call(() => 1)
  assert.deepEqual(samplesOf(all.prometheus()), expected)
  assert.equal(all.families, all.families)
})

test('the whole process has all that lives, once, and what `disabled` lets through is not counted', async () => {
  const budget = new Budget()
  const shared = new Breaker('of a process: shared')
  const guards = [1, 2].map(() => new Guard('of a process: two', { breaker: shared, retry: new Retry({ budget }) }))
  const registry = new Registry({ name: 'of a process', capacity: 2 })
  for (const guard of [...guards, registry.guard('key'), registry.guard('other')]) await guard.call(() => 1)
  await disabled(() => guards[0].call(() => 1))
  const all = metrics()
  const calls = all.families.find(({ name }) => name === 'overcurrent_calls_total').samples
  const ended = name => calls.filter(({ labels }) => labels.guard === name && labels.outcome === 'success').map(({ value }) => value)
  assert.deepEqual(ended('of a process: two'), [2], 'those of one name are added up')
  assert.deepEqual(ended('of a process/key'), [1])
  assert.deepEqual(ended('disabled'), [])
  const state = all.families.find(({ name }) => name === 'overcurrent_breaker_state').samples
  const closed = state.filter(({ labels, value }) => labels.breaker === shared.name && value > 0)
  assert.deepEqual(closed, [{ labels: { breaker: shared.name, state: 'closed' }, value: 1 }], 'it is there once')

  for (let key = 0; key < 5; key++) registry.guard(`${key}`)
  const own = registry.metrics()
  assert.deepEqual(counted(own, 'overcurrent_evictions_total', 'registry'), { 'of a process': registry.evictions })
  assert.equal(own.families.find(({ name }) => name === 'overcurrent_in_flight').samples.length, 2)
  assert.deepEqual(counted(shared.metrics(), 'overcurrent_breaker_state', 'state'), { closed: 1 })
  assert.equal(shared.metrics().families.some(({ name }) => name === 'overcurrent_calls_total'), false)
})

test('a registry keeps a guard whose calls are under way, so that they end where they began', async () => {
  const registry = new Registry({ capacity: 1 })
  const { promise, resolve } = deferred()
  const one = registry.guard('one')
  const calls = [one.call(() => promise), one.call(() => promise)]
  assert.equal(callsOf(one).inFlight, 2)
  for (let turn = 0; turn < 3; turn++) assert.throws(() => registry.guard('two'), RegistryFull)
  resolve()
  await Promise.all(calls)
  assert.deepEqual(callsOf(one), { calls: { success: 2 }, attempts: { success: 2 }, inFlight: 0 })
  for (let turn = 0; turn < 3 && !registry.has('two'); turn++) registry.guard('two')
  assert.equal(registry.has('one'), false)
})

test('what nobody holds any more is not told of', () => {
  const script = `
    const { Guard, Breaker, Registry, metrics } = require('overcurrent')
    const names = () => {
      const labels = metrics().families.flatMap(({ samples }) => samples).map(({ labels }) => Object.values(labels)[0])
      return [...new Set(labels)].sort().join(' ')
    }
    let outlives
    ;(() => {
      const kept = { guard: new Guard('guard'), breaker: new Breaker('breaker'), registry: new Registry({ name: 'registry' }) }
      outlives = new Guard('parent').breaker
      kept.keyed = kept.registry.guard('key')
      process.stdout.write(names() + '\\n')
    })()
    let turns = 0
    const look = () => {
      globalThis.gc()
      if (++turns < 100 && names() !== 'parent') return setImmediate(look)
      process.stdout.write(names() + ' ' + Object.keys(outlives.metrics().families).length)
    }
    setImmediate(look)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
  assert.deepEqual([stdout, stderr], ['breaker guard parent registry registry/key\nparent 4', ''])
})

/** A thread that does what `code` says with `guard`; `told` resolves with what it posts. */
function thread(t, guard, code) {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Guard, metrics } = require('overcurrent')
    const guard = Guard.from(workerData)
    const post = message => parentPort.postMessage(message)
    const fail = () => { throw new Error('no') }
    const never = () => new Promise(() => {})
    setInterval(() => {}, 1000)
    ;(async () => { ${code} })()`
  const worker = new Worker(script, { eval: true, workerData: guard.share() })
  t.after(() => worker.terminate())
  const told = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { worker, told }
}

test('what threads count of one guard adds up, and is seen from each', async t => {
  const guard = new Guard('of threads', { retry: false, breaker: { consecutiveFailures: 1000 } })
  const load = 'for (let n = 0; n < 3000; n++) { await guard.call(n % 3 ? () => n : fail).catch(() => {}) } post(metrics().prometheus())'
  const threads = [1, 2, 3].map(() => thread(t, guard, load))
  for (let n = 0; n < 3000; n++) {
    await guard.call(() => n)
    if (n % 100 === 0) await turn()
  }
  const texts = await Promise.all(threads.map(({ told }) => told))
  const outcomes = { success: 3 * 2000 + 3000, failure: 3 * 1000 }
  assert.deepEqual(callsOf(guard), { calls: outcomes, attempts: outcomes, inFlight: 0 })
  for (const text of texts) assert.match(text, /overcurrent_calls_total\{guard="of threads",outcome="success"\} \d{4,}/)
})

test('a thread that is stopped cancels its calls', async t => {
  const guard = new Guard('of a thread', { retry: { backoff: { constant: { delay: '1h' } }, jitter: 'none' }, deadline: '24h' })
  const { worker, told } = thread(
    t,
    guard,
    `guard.call(() => 1)
    guard.call(never); guard.call(never)
    guard.call(never, { signal: new AbortController().signal })
    guard.call(fail).catch(() => {})
    setImmediate(() => post('under way'))`,
  )
  const own = guard.call(() => turn())
  await told
  await own
  assert.deepEqual(callsOf(guard), { calls: { success: 2 }, attempts: { success: 2, failure: 1 }, inFlight: 4 })
  await worker.terminate()
  const after = { calls: { success: 2, cancelled: 4 }, attempts: { success: 2, failure: 1, cancelled: 3 }, inFlight: 0 }
  assert.deepEqual(callsOf(guard), after)
  // Another thread counts on where that one has left off.
  const again = thread(t, guard, "for (let n = 0; n < 10; n++) await guard.call(() => n); post('done')")
  await again.told
  assert.deepEqual(callsOf(guard).calls, { success: 12, cancelled: 4 })
})
