/** The errors, and what a process with them does. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { inspect } from 'node:util'
import { test } from 'node:test'
import {
  AttemptTimeout,
  Breaker,
  BreakerOpen,
  DeadlineExceeded,
  Guard,
  InvalidPolicy,
  ManualClock,
  OvercurrentError,
  callInfo,
} from 'overcurrent'
import { rejection } from './tools.mjs'

async function each() {
  const clock = new ManualClock()
  const breaker = new Breaker('b')
  breaker.forceOpen()
  const hang = () => new Promise(() => {})
  const late = (options, move) => {
    const call = new Guard('g', { clock, retry: false, ...options }).call(hang)
    clock.advance(move)
    return rejection(call)
  }
  return [
    [await rejection((async () => new Guard('g', { deadline: 'x' }))()), InvalidPolicy, 'INVALID_POLICY'],
    [await rejection(breaker.call(() => 1)), BreakerOpen, 'BREAKER_OPEN'],
    [await late({ attemptTimeout: '1s' }, '1s'), AttemptTimeout, 'ATTEMPT_TIMEOUT'],
    [await late({ deadline: '1s' }, '1s'), DeadlineExceeded, 'DEADLINE_EXCEEDED'],
  ]
}

test('each error has its class, its code and its name', async () => {
  for (const [error, type, code] of await each()) {
    assert.ok(error instanceof type && error instanceof OvercurrentError && error instanceof Error)
    assert.deepEqual([error.code, error.name, String(error)], [code, type.name, `${type.name}: ${error.message}`])
    assert.match(error.message, /^[a-z].*[^.]$/)
    assert.ok(inspect(error).includes(`code: '${code}'`))
  }
})

test('only a refused policy has a stack, which leads to its making', async () => {
  const limit = Error.stackTraceLimit
  for (const [error, type] of await each()) {
    assert.equal(error.stack.includes('\n    at '), type === InvalidPolicy)
    assert.equal(error.stack.split('\n')[0], String(error))
  }
  assert.equal(Error.stackTraceLimit, limit)
})

test('with the switch, rejections and timeouts have a stack too, which leads to the call', async () => {
  OvercurrentError.captureStack = true
  try {
    for (const [error] of await each()) assert.ok(error.stack.includes('\n    at '), error.name)
    const breaker = new Breaker('b')
    breaker.forceOpen()
    const error = await rejection(
      (async function charge() {
        await new Guard('g', { breaker }).call(() => 1)
      })(),
    )
    assert.match(error.stack, /at charge/)
  } finally {
    OvercurrentError.captureStack = false
  }
})

test('errors of another copy of the package are errors of this one', async () => {
  const { createRequire } = await import('node:module')
  const require = createRequire(import.meta.url)
  const own = Object.keys(require.cache).filter(file => file.includes('overcurrent') && !file.endsWith('.node'))
  for (const file of own) delete require.cache[file]
  const copy = require('overcurrent')
  assert.notEqual(copy.Guard, Guard)
  const { breaker } = new copy.Guard('theirs')
  breaker.forceOpen()
  const error = await rejection(breaker.call(() => 1))
  assert.ok(error instanceof BreakerOpen && error instanceof OvercurrentError)
  assert.ok(!(error instanceof AttemptTimeout || error instanceof InvalidPolicy || error instanceof DeadlineExceeded))
  // A rejection by a guard is ignored, whichever copy made it.
  const guard = new Guard('ours', { breaker: { consecutiveFailures: 1 }, retry: false })
  assert.equal(await rejection(guard.call(() => breaker.call(() => 1))).then(({ breaker }) => breaker), 'theirs')
  assert.equal(guard.breaker.state, 'closed')
})

test('a derived class has only what was made of it, and nothing else is taken for an error', () => {
  class Ours extends BreakerOpen {}
  const refusal = { message: 'm', breaker: 'b', reason: 'open' }
  const [plain, derived] = [new BreakerOpen(refusal), new Ours(refusal)]
  assert.ok(derived instanceof Ours && derived instanceof BreakerOpen && derived instanceof OvercurrentError)
  assert.ok(!(plain instanceof Ours))
  const closed = Proxy.revocable({}, {})
  closed.revoke()
  for (const other of [null, undefined, 1, 'BREAKER_OPEN', new Error(), { code: 'BREAKER_OPEN' }, closed.proxy])
    assert.ok(!(other instanceof BreakerOpen) && !(other instanceof OvercurrentError))
})

test('an error can be had as plain data, for a log or another thread', async () => {
  for (const [error] of await each()) {
    const plain = structuredClone(error.toJSON())
    assert.deepEqual([plain.name, plain.message, plain.code], [error.name, error.message, error.code])
    assert.deepEqual(JSON.parse(JSON.stringify(error)), JSON.parse(JSON.stringify(plain)))
    // What a clone of the error itself keeps.
    assert.deepEqual([structuredClone(error).message, structuredClone(error).stack], [error.message, error.stack])
  }
  const breaker = new Breaker('b', { clock: new ManualClock() })
  breaker.trip('1s')
  const { breaker: name, reason, retryAfterMs } = (await rejection(breaker.call(() => 1))).toJSON()
  assert.deepEqual([name, reason, retryAfterMs], ['b', 'open', 1000])
})

test('what is no object is thrown as it is, without an account', async () => {
  const guard = new Guard('g', { retry: false, breaker: false })
  for (const thrown of ['text', 3, null, undefined, Symbol.iterator]) {
    assert.equal(
      await rejection(
        guard.call(() => {
          throw thrown
        }),
      ),
      thrown,
    )
    assert.equal(callInfo(thrown), undefined)
  }
  assert.equal(callInfo(new Error('from elsewhere')), undefined)
})

test('the account is that of the last call the error came from', async () => {
  const error = new Error('shared')
  const inner = new Guard('inner', { retry: { backoff: 'none', maxAttempts: 2 } })
  const outer = new Guard('outer', { retry: { backoff: 'none', maxAttempts: 3 } })
  await rejection(
    outer.call(() =>
      inner.call(() => {
        throw error
      }),
    ),
  )
  assert.equal(callInfo(error).attempts, 3)
})

function run(script, ...options) {
  return spawnSync(
    process.execPath,
    [...options, '--input-type=module', '-e', `import { Guard, constant } from 'overcurrent'\n${script}`],
    { encoding: 'utf8' },
  )
}

test('errors can be made where the stack limit is frozen', () => {
  const { stdout, stderr } = run(`
    Object.defineProperty(Error, 'stackTraceLimit', { writable: false, configurable: false })
    const { breaker } = new Guard('g')
    breaker.forceOpen()
    process.stdout.write(await breaker.call(() => 1).catch(error => error.code))`)
  assert.deepEqual([stdout, stderr], ['BREAKER_OPEN', ''])
})
