/** One breaker for all threads of a process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Breaker, BreakerOpen, Guard, ManualClock } from 'overcurrent'
import { rejection } from './tools.mjs'

const THREADS = 4

/** Threads that are told what to do, all at once; ended with the test. */
function fleet(t, workerData, threads = THREADS) {
  const workers = Array.from({ length: threads }, () => new Worker(new URL('fleet.mjs', import.meta.url), { workerData }))
  t.after(() => Promise.all(workers.map(worker => worker.terminate())))
  let id = 0
  const ask = (worker, task, argument) =>
    new Promise((resolve, reject) => {
      const own = ++id
      const hear = message => {
        if (message.id !== own) return
        worker.off('message', hear)
        worker.off('error', reject)
        if (message.error === undefined) resolve(message.answer)
        else reject(new Error(message.error))
      }
      worker.on('message', hear)
      worker.once('error', reject)
      worker.postMessage({ id: own, task, argument })
    })
  const all = (task, argument) => Promise.all(workers.map(worker => ask(worker, task, argument)))
  return { all, one: (index, task, argument) => ask(workers[index], task, argument), workers }
}

for (const kind of ['guard', 'breaker']) {
  test(`what the threads of a ${kind} count adds up exactly`, async t => {
    // Before the last outcome there is no test of the rate, and the rate leaves room for no other count.
    const [successes, failures] = [4000, 4001]
    const total = THREADS * (successes + failures)
    const policy = { window: { calls: 100_000 }, minimumCalls: total + 1, failureRate: 0.500_07 }
    const guard = new Guard('g', { retry: false, breaker: policy })
    const breaker = new Breaker('b', policy)
    const counted = kind === 'guard' ? guard.breaker : breaker
    const { all } = fleet(t, { [kind]: (kind === 'guard' ? guard : breaker).share() })
    assert.deepEqual(await all('load', { successes, failures }), Array(THREADS).fill(failures))
    assert.deepEqual([counted.state, counted.late], ['closed', 0])
    // 16,005 of 32,005 are 0.500078; one failure taken for a success makes 0.500047, one success more 0.500062.
    await rejection(counted.call(() => Promise.reject(new Error('the last one'))))
    assert.deepEqual([counted.state, counted.reason], ['open', 'failure_rate'])
  })
}

test('what the thread counts that shared it adds up with what the others count', async t => {
  const [successes, failures] = [8000, 8001]
  const total = 3 * (successes + failures)
  const policy = { window: { calls: 100_000 }, minimumCalls: total + 1, failureRate: 0.500_04 }
  const breaker = new Breaker('b', policy)
  const fail = () => Promise.reject(new Error('no'))
  const { all } = fleet(t, { breaker: breaker.share() }, 2)
  const others = all('load', { successes, failures })
  for (let n = 0; n < successes; n++) {
    await breaker.call(() => n)
    await rejection(breaker.call(fail))
    if (n % 100 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await rejection(breaker.call(fail))
  await others
  assert.equal(breaker.state, 'closed')
  // 24,004 of 48,004 are 0.500042.
  await rejection(breaker.call(fail))
  assert.deepEqual([breaker.state, breaker.reason], ['open', 'failure_rate'])
})

test('successes are added atomically once other threads may know of a breaker, and only then', async t => {
  const add = t.mock.method(Atomics, 'add')
  const isAtomic = async it => {
    const before = add.mock.callCount()
    // The first one makes sure that others may be added in place.
    for (let n = 0; n < 3; n++) await it.call(() => n)
    return add.mock.callCount() > before
  }
  const mapped = process.env['OVERCURRENT_NO_EXTERNAL_MEMORY'] !== '1'
  const policy = { window: { calls: 100 } }
  const guard = new Guard('g', { breaker: policy })
  const breaker = new Breaker('b', policy)
  assert.deepEqual([await isAtomic(guard), await isAtomic(breaker)], [false, false])
  const tokens = [guard.share(), breaker.share()]
  const found = [Guard.from(tokens[0]), Breaker.from(tokens[1])]
  for (const it of [guard, breaker, guard.breaker, ...found]) assert.equal(await isAtomic(it), mapped)
})

test('what began before a change of state is late in every thread', async t => {
  const guard = new Guard('g', { attemptTimeout: '1h', deadline: '2h', breaker: { probeTimeout: '1h' } })
  const { all } = fleet(t, { guard: guard.share() })
  await all('hold', 50)
  guard.breaker.trip()
  guard.breaker.reset()
  await all('release')
  assert.equal(guard.breaker.late, THREADS * 50)
  assert.deepEqual(await all('state'), Array(THREADS).fill({ state: 'closed', late: THREADS * 50 }))
})

test('what opens in one thread is open in all, for the same time', async t => {
  const guard = new Guard('g')
  const { all, one } = fleet(t, { guard: guard.share() }, 2)
  await one(0, 'trip', '1h')
  assert.equal(guard.breaker.state, 'open')
  assert.ok((await rejection(guard.call(() => 1))) instanceof BreakerOpen)
  assert.deepEqual(await all('state'), Array(2).fill({ state: 'open', late: 0 }))

  // By the clock of the machine, the end lies between what is left at two moments just before and after.
  const before = process.hrtime.bigint()
  const { retryAfterMs } = guard.breaker
  const here = [before, process.hrtime.bigint()].map(at => Number(at) / 1e6 + retryAfterMs)
  for (const there of await all('end'))
    assert.ok(there[1] > here[0] - 2 && there[0] < here[1] + 2, `${there} is not about ${here}`)
  guard.breaker.reset()
  assert.deepEqual(await all('state'), Array(2).fill({ state: 'closed', late: 0 }))
})

test('threads whose clocks begin elsewhere agree on the time', async t => {
  const guard = new Guard('g')
  guard.breaker.trip('1h')
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const now = performance.now.bind(performance)
    performance.now = () => now() + workerData.shift
    const { Guard } = require('overcurrent')
    parentPort.postMessage(Guard.from(workerData.token).breaker.retryAfterMs)`
  for (const shift of [60_000, 600_000]) {
    const worker = new Worker(code, { eval: true, workerData: { token: guard.share(), shift } })
    t.after(() => worker.terminate())
    const first = guard.breaker.retryAfterMs
    const theirs = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const last = guard.breaker.retryAfterMs
    assert.ok(theirs < first + 2 && theirs > last - 2, `${theirs} is not from ${last} to ${first}`)
  }
})

test('threads that fight for probes never run more than there may be', async t => {
  const gauge = new SharedArrayBuffer(12)
  const guard = new Guard('g', { retry: false, breaker: { probes: 2, closeAfter: 2 } })
  guard.breaker.trip('1ms')
  const { all } = fleet(t, { guard: guard.share(), gauge, options: { ignored: true } })
  await all('hammer', 300)
  const [running, most, ran] = new Int32Array(gauge)
  assert.equal(guard.breaker.state, 'half_open')
  assert.deepEqual([running, most], [0, 2])
  assert.ok(ran > 100, `only ${ran} probes ran`)
})

test('threads share the budget to the last token', async t => {
  const budget = { ratio: 0, minPerSecond: 0, burst: 10 }
  const guard = new Guard('g', { retry: { backoff: 'none', budget }, breaker: false })
  const { all } = fleet(t, { guard: guard.share() })
  const attempts = await all('attempts', 25)
  assert.equal(
    attempts.reduce((sum, one) => sum + one),
    THREADS * 25 + 10,
  )
  assert.equal(guard.budget.tokensMicro, 0)
})

test('a token is plain data, the same each time, and good in its own thread too', async () => {
  const guard = new Guard('payments', { breaker: { consecutiveFailures: 1 }, retry: false })
  const token = structuredClone(guard.share())
  assert.deepEqual(token, guard.share())
  assert.deepEqual([token.overcurrent, token.name], ['guard', 'payments'])
  const other = Guard.from(token, { ignore: RangeError })
  assert.equal(other.name, 'payments')
  await rejection(other.call(() => Promise.reject(new RangeError())))
  assert.equal(guard.breaker.state, 'closed')
  await rejection(other.call(() => Promise.reject(new Error())))
  assert.deepEqual([guard.breaker.state, other.breaker.state], ['open', 'open'])
  assert.notDeepEqual(new Guard('payments').share(), token)

  const breaker = Breaker.from(guard.breaker.share())
  assert.deepEqual([breaker.name, breaker.state], ['payments', 'open'])
  breaker.reset()
  assert.equal(guard.breaker.state, 'closed')
  // Disposing of one is no matter of the other.
  other[Symbol.dispose]()
  assert.equal(await guard.call(() => 1), 1)
})

test('a token that leads nowhere says so', async t => {
  const refused = (make, path, rule) => assert.throws(make, { name: 'InvalidPolicy', path, rule })
  const guard = new Guard('g')
  const token = guard.share()
  const gone = 'must be of a guard that this process still has'
  refused(() => Guard.from({ ...token, id: '9b2d8f0e-0000-4000-8000-000000000000' }), 'token', gone)
  refused(() => Guard.from(guard.breaker.share()), 'token', 'must come from `share` of a guard')
  refused(() => Breaker.from(token), 'token', 'must come from `share` of a breaker')
  refused(() => Breaker.from({ ...token, overcurrent: 'breaker' }), 'token', gone.replace('guard', 'breaker'))
  for (const nothing of [undefined, null, 'token', {}]) {
    refused(() => Guard.from(nothing), 'token', 'must come from `share` of a guard')
    refused(() => Breaker.from(nothing), 'token', 'must come from `share` of a breaker')
  }
  refused(() => Guard.from(token, { deadline: '1s' }), 'deadline', 'cannot be set beside a token')
  refused(() => Breaker.from(guard.breaker.share(), { seed: 1 }), 'seed', 'cannot be set beside a token')
  guard[Symbol.dispose]()
  refused(() => Guard.from(token), 'token', gone)

  const clock = new ManualClock()
  for (const manual of [new Guard('g', { clock }), new Breaker('b', { clock })])
    refused(() => manual.share(), 'clock', 'cannot be shared with other threads')

  // One of a thread that has ended.
  const { one, workers } = fleet(t, {}, 1)
  const theirs = await one(0, 'share')
  const kept = Guard.from(theirs)
  await workers[0].terminate()
  refused(() => Guard.from(theirs), 'token', gone)
  await rejection(kept.call(() => Promise.reject(new Error('no'))))
  assert.equal(kept.breaker.state, 'open')
})
