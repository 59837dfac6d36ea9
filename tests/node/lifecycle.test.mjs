/** Timers and the life of the process; draining and disposing of a guard. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { Guard, InvalidPolicy, ManualClock, Retry, callInfo, constant } from 'overcurrent'
import { instant } from 'overcurrent/testing'
import { deferred, fakeTime, rejection, turn } from './tools.mjs'

const hour = { backoff: constant('1h'), jitter: 'none' }

/** What a process prints that has nothing to do but this. */
function alone(script) {
  const header = `import { Guard, Retry, constant } from 'overcurrent'
    const end = what => process.stdout.write(what)
    const fail = () => { throw new Error('no') }\n`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', header + script], {
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  return [status, stdout]
}

test('neither an attempt nor a wait keeps the process alive', () => {
  const waits = `{ backoff: constant('1h'), jitter: 'none' }`
  for (const call of [
    `new Guard('g', { attemptTimeout: '1h', deadline: '2h' }).call(() => new Promise(() => {}))`,
    `new Guard('g', { deadline: '2h', retry: ${waits} }).call(fail)`,
    `new Retry(${waits}).call(fail)`,
  ])
    assert.deepEqual(alone(`${call}.then(end, end)`), [0, ''])
})

test('with `ref` both do, as long as they last', () => {
  const waits = `{ backoff: constant('2ms'), jitter: 'none', maxAttempts: 2 }`
  for (const [call, answer] of [
    [`new Guard('g', { ref: true, attemptTimeout: 20, retry: false }).call(() => new Promise(() => {}))`, 'ATTEMPT_TIMEOUT'],
    [`new Guard('g', { ref: true, retry: ${waits} }).call(fail)`, 'no'],
    [`new Retry({ ref: true, ...${waits} }).call(fail)`, 'no'],
    [`new Guard('g', { ref: true, attemptTimeout: '1h', deadline: '2h' }).call(async () => 'done')`, 'done'],
  ])
    assert.deepEqual(alone(`${call}.then(end, error => end(error.code ?? error.message))`), [0, answer])
})

test('with `ref`, attempts that come after a pause keep it alive again', () => {
  const script = `
    const guard = new Guard('g', { ref: true, attemptTimeout: 60, retry: false })
    await guard.call(() => 1)
    await new Promise(resolve => setTimeout(resolve, 20))
    guard.call(() => new Promise(() => {})).catch(error => end(error.code))`
  assert.deepEqual(alone(script), [0, 'ATTEMPT_TIMEOUT'])
})

test('a wait of no time is not the end of the process', () => {
  const script = `new Guard('g', { retry: { backoff: 'none' } }).call(fail).catch(error => end(error.message))`
  assert.deepEqual(alone(script), [0, 'no'])
})

test('`ref` is true or false', () => {
  for (const Timed of [options => new Guard('g', options), options => new Retry(options)])
    assert.throws(() => Timed({ ref: 1 }), { name: 'InvalidPolicy', path: 'ref', rule: 'must be true or false' })
})

test('draining resolves when the last call has ended, its waits included', async () => {
  const clock = new ManualClock()
  const guard = new Guard('g', { clock, attemptTimeout: '2s', retry: { ...hour, maxAttempts: 2 }, deadline: '3h' })
  await guard.drain()

  const answers = [deferred(), deferred()]
  const calls = answers.map(({ promise }) => guard.call(() => promise))
  let drained = 0
  const drains = [guard.drain(), guard.drain()].map(drain => drain.then(() => drained++))
  answers[0].resolve(1)
  await calls[0]
  await turn()
  assert.equal(drained, 0)
  // It refuses nothing.
  assert.equal(await guard.call(() => 2), 2)
  answers[1].resolve(3)
  await Promise.all(drains)
  assert.deepEqual([drained, await calls[1]], [2, 3])

  for (const end of [() => Promise.reject(new Error('no')), ({ signal }) => signal.throwIfAborted(), () => 'plain']) {
    const call = guard.call(end, { signal: new AbortController().signal }).catch(() => {})
    await guard.drain()
    await call
  }
  guard.breaker.forceOpen()
  const rejected = rejection(guard.call(() => 1))
  await guard.drain()
  assert.equal((await rejected).code, 'BREAKER_OPEN')
})

test('draining waits for a retry', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { deadline: '3h', retry: hour })
  let attempts = 0
  const call = guard.call(() => {
    if (++attempts === 1) throw new Error('first')
    return attempts
  })
  let drained = false
  const drain = guard.drain().then(() => (drained = true))
  await turn()
  tick(3_599_999)
  await turn()
  assert.deepEqual([attempts, drained], [1, false])
  tick(1)
  await drain
  assert.equal(await call, 2)
})

for (const [name, clock] of [
  ['JavaScript’s clock', () => undefined],
  ['a manual clock', () => new ManualClock()],
]) {
  test(`disposing ends running and waiting calls at once, on ${name}`, async () => {
    const options = { clock: clock(), deadline: '3h', retry: hour, breaker: { consecutiveFailures: 2 } }
    const guard = new Guard('payments', options)
    const bystander = new Guard('other', options)
    const spared = deferred()
    const other = bystander.call(() => spared.promise)
    const { signal } = new AbortController()
    const seen = []
    const hang = context => {
      seen.push(context.signal)
      return new Promise(() => {})
    }
    const running = [guard.call(hang, { signal }), guard.call(hang)].map(rejection)
    const waiting =
      options.clock === undefined &&
      rejection(
        guard.call(() => {
          throw new Error('first')
        }),
      )
    await turn()
    guard[Symbol.dispose]()
    await guard.drain()
    const reasons = await Promise.all([...running, ...(waiting ? [waiting] : [])])
    for (const reason of [...reasons, ...seen.map(signal => signal.reason)]) {
      assert.deepEqual([reason.name, reason.message], ['AbortError', 'guard `payments` was disposed of'])
      assert.equal(callInfo(reason), undefined)
    }
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    assert.equal(guard.breaker.state, 'closed')

    const later = await rejection(guard.call(() => assert.fail('it ran')))
    assert.equal(later.name, 'AbortError')
    assert.equal(await guard.breaker.call(() => 'alive'), 'alive')
    guard[Symbol.dispose]()
    spared.resolve('spared')
    assert.equal(await other, 'spared')
  })
}

test('disposing ends any number of calls, whose ends are in any order', () => {
  // With a small stack a call takes as few arguments as there are too many calls of in an outage.
  const script = `
    const { Guard } = require('overcurrent')
    const guard = new Guard('g', { attemptTimeout: '1h', deadline: '1h', breaker: false, retry: { backoff: 'none', budget: false } })
    const calls = 20_000
    let hanging = 0
    const hang = () => new Promise(() => {})
    const fn = ({ attempt }) => {
      if (attempt === 1) throw new Error('again')
      if (++hanging === calls) setImmediate(() => guard[Symbol.dispose]())
      return hang()
    }
    const ends = Promise.allSettled([...Array.from({ length: calls }, () => guard.call(fn)), guard.call(hang)])
    const alive = setInterval(() => {}, 1_000)
    ends.then(ends => {
      process.stdout.write(String(ends.filter(({ reason }) => reason.name === 'AbortError').length))
      clearInterval(alive)
    })`
  const options = { encoding: 'utf8', timeout: 60_000 }
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--stack-size=150', '-e', script], options)
  assert.deepEqual([status, stdout, stderr], [0, '20001', ''])
})

test('what comes of a call that disposing has ended is nobody’s concern', async () => {
  const untimed = { deadline: false, attemptTimeout: false, breaker: { probeTimeout: '30s' } }
  for (const policy of [{}, untimed]) {
    const guard = new Guard('g', policy)
    for (const settle of ['resolve', 'reject']) {
      const shared = new Guard('of the same breaker', { ...policy, breaker: guard.breaker })
      const hung = deferred()
      const call = rejection(shared.call(() => hung.promise))
      await turn()
      shared[Symbol.dispose]()
      assert.equal((await call).name, 'AbortError')
      hung[settle](new Error('late'))
      await turn()
      await shared.drain()
    }
    assert.deepEqual([guard.breaker.state, guard.breaker.late], ['closed', 0])
  }
})

test('an attempt with little time left is ended too', async t => {
  const tick = fakeTime(t)
  const guard = new Guard('g', { deadline: '5s', attemptTimeout: '4s', retry: { backoff: constant('3s'), jitter: 'none' } })
  const short = rejection(
    guard.call(({ attempt }) => {
      if (attempt === 1) throw new Error('again')
      return new Promise(() => {})
    }),
  )
  await turn()
  tick(2500)
  const long = rejection(guard.call(() => new Promise(() => {})))
  tick(500)
  await turn()
  guard[Symbol.dispose]()
  assert.deepEqual([(await short).name, (await long).name], ['AbortError', 'AbortError'])
  tick(10_000)
})

test('attempts that nothing bounds are ended too', async () => {
  for (const clock of [undefined, new ManualClock()]) {
    const guard = new Guard('g', { clock, deadline: false, attemptTimeout: false, breaker: false })
    const answers = Array.from({ length: 5 }, deferred)
    const calls = answers.map(({ promise }) => guard.call(() => promise))
    // The others stay where they can be found.
    for (const index of [1, 4, 0]) {
      answers[index].resolve(index)
      assert.equal(await calls[index], index)
    }
    guard[Symbol.dispose]()
    for (const index of [2, 3]) assert.equal((await rejection(calls[index])).name, 'AbortError')
    await guard.drain()
  }
})

test('calls whose waits are skipped are drained and ended like others', async () => {
  const guard = new Guard('g', { deadline: '3h', attemptTimeout: '2h', retry: hour })
  const attempted = deferred()
  const call = instant(() =>
    guard.call(({ attempt }) => {
      if (attempt === 1) throw new Error('first')
      attempted.resolve()
      return new Promise(() => {})
    }),
  )
  await attempted.promise
  guard[Symbol.dispose]()
  assert.equal((await rejection(call)).name, 'AbortError')
  await guard.drain()
})

test('a call that another one’s end has ended is not ended twice', async () => {
  for (const clock of [undefined, new ManualClock()]) {
    const guard = new Guard('g', { clock, attemptTimeout: '1h', deadline: '2h', breaker: { consecutiveFailures: 1 } })
    const inner = new AbortController()
    const outer = new AbortController()
    const hang = () => new Promise(() => {})
    const calls = [
      guard.call(
        ({ signal }) => {
          signal.addEventListener('abort', () => inner.abort('by the first'))
          return hang()
        },
        { signal: outer.signal },
      ),
      guard.call(hang, { signal: inner.signal }),
      guard.call(hang, { signal: inner.signal }),
    ]
    guard.breaker.trip()
    guard[Symbol.dispose]()
    assert.deepEqual(
      await Promise.all(calls.map(call => rejection(call).then(reason => reason.name ?? reason))),
      ['AbortError', 'by the first', 'by the first'],
    )
    outer.abort()
    await guard.drain()
    assert.equal(guard.breaker.late, 3)
  }
})

test('disposing asynchronously lets calls come to their end', async () => {
  const guard = new Guard('g')
  const { promise, resolve } = deferred()
  const call = guard.call(() => promise)
  const disposed = guard[Symbol.asyncDispose]()
  await turn()
  resolve('done')
  assert.equal(await call, 'done')
  await disposed
  assert.equal((await rejection(guard.call(() => 1))).name, 'AbortError')
})

test('options of a call are checked', async () => {
  const guard = new Guard('g')
  const run = () => assert.fail('it ran')
  for (const [options, path, rule] of [
    [{ signal: 'abort' }, 'signal', 'must be an `AbortSignal`'],
    [{ signal: { aborted: false } }, 'signal', 'must be an `AbortSignal`'],
    [{ key: 7 }, 'key', 'must be a text'],
  ]) {
    const error = await rejection(guard.call(run, options))
    assert.ok(error instanceof InvalidPolicy)
    assert.deepEqual([error.path, error.rule], [path, rule])
  }
  assert.equal(await guard.call(() => 1, { signal: undefined, key: undefined }), 1)
  await guard.drain()
})
