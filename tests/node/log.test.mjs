/** The log of decisions, with loggers that people use. */
import assert from 'node:assert/strict'
import { Console } from 'node:console'
import { spawnSync } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import pino from 'pino'
import { Guard, ManualClock, Retry, constant, logEvents } from 'overcurrent'
import { rejection, turn } from './tools.mjs'

const fail = () => {
  throw new Error('secret')
}

/** A guard that opens after its second failure. */
const quick = (clock = new ManualClock()) =>
  new Guard('payments', {
    clock,
    retry: { maxAttempts: 2, backoff: constant('100ms'), jitter: 'none' },
    breaker: { consecutiveFailures: 2, cooldown: '5s', cooldownJitter: 0 },
  })

/** Fails, is rejected three times, and is closed again by hand; a permit of before comes back then. */
async function outage(guard) {
  const permit = guard.breaker.acquire()
  await rejection(guard.call(fail))
  for (let calls = 0; calls < 3; calls++) await rejection(guard.call(fail))
  guard.breaker.reset()
  permit.success()
}

/** A logger that keeps what it is told, as method, fields and message. */
function keeping() {
  const lines = []
  const keep = method => (fields, message) => void lines.push([method, message, fields])
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn') }
}

const LEVELS = [
  ['info', 'retry'],
  ['warn', 'stateChange'],
  ['info', 'giveUp'],
  ['info', 'reject'],
  ['info', 'stateChange'],
  ['debug', 'lateResult'],
]

test('each decision is one line, at the level that the core gives it; rejections are told once', async () => {
  const logger = keeping()
  const guard = quick()
  const log = logEvents(logger, { guard })
  await outage(guard)
  assert.deepEqual(
    logger.lines.map(([method, message, { event }]) => [method, message, event]),
    LEVELS.map(([method, event]) => [method, `overcurrent.${event}`, event]),
  )
  const fields = Object.fromEntries(logger.lines.map(([, , { event, ...fields }]) => [event, fields]))
  assert.deepEqual([fields.retry.guard, fields.retry.attempt, fields.retry.wait], ['payments', 1, 100])
  assert.deepEqual([fields.reject.reason, fields.reject.nth, fields.reject.retryAfter], ['open', 1, 5000])
  assert.deepEqual([fields.stateChange.reason, fields.stateChange.rejected], ['reset', 3])
  for (const line of logger.lines) {
    assert.ok(!Object.values(line[2]).includes(undefined))
    assert.doesNotMatch(JSON.stringify(line), /secret/)
  }
  log.close()
  guard.breaker.trip()
  assert.equal(logger.lines.length, LEVELS.length)
})

test('it logs a breaker, a guard, or all there are', () => {
  const [one, other] = [quick(), quick()]
  const [all, guard, breaker] = [keeping(), keeping(), keeping()]
  const logs = [logEvents(all), logEvents(guard, { guard: one }), logEvents(breaker, { breaker: other.breaker })]
  one.breaker.trip()
  other.breaker.trip()
  new Retry({ clock: new ManualClock() }).start().failed()
  for (const log of logs) log[Symbol.dispose]()
  assert.deepEqual([all, guard, breaker].map(({ lines }) => lines.length), [3, 1, 1])
  assert.deepEqual(all.lines[2].slice(0, 2), ['info', 'overcurrent.retry'])
})

test('pino writes the fields beside its own', async () => {
  const stream = new PassThrough()
  const guard = quick()
  const log = logEvents(pino({ name: 'shop', level: 'debug' }, stream), { guard })
  await outage(guard)
  log.close()
  const lines = stream.read().toString().trim().split('\n').map(line => JSON.parse(line))
  const { debug, info, warn } = pino.levels.values
  assert.deepEqual(
    lines.map(({ name, level, event, msg }) => [name, level, event, msg]),
    LEVELS.map(([method, event]) => ['shop', { debug, info, warn }[method], event, `overcurrent.${event}`]),
  )
  assert.deepEqual([lines[1].breaker, lines[1].reason, lines[1].openFor], ['payments', 'consecutive_failures', 5000])
})

test('the console writes what opened to stderr, and the rest to stdout', async () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const guard = quick()
  const log = logEvents(new Console({ stdout, stderr }), { guard })
  await outage(guard)
  log.close()
  const names = stream => [...stream.read().toString().matchAll(/ overcurrent\.(\w+)$/gm)].map(([, name]) => name)
  assert.deepEqual(names(stderr), ['stateChange'])
  assert.deepEqual(names(stdout), ['retry', 'giveUp', 'reject', 'stateChange', 'lateResult'])
})

test('a logger that throws, or rejects, is reported once and changes nothing', async t => {
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  const guard = quick()
  const lines = []
  const logger = { ...keeping(), info: fail, warn: async () => fail(), debug: (_, message) => lines.push(message) }
  const log = logEvents(logger, { guard })
  await outage(guard)
  await turn()
  log.close()
  assert.deepEqual(lines, ['overcurrent.lateResult'])
  assert.equal(warnings.mock.callCount(), 1)
  const [message, { code }] = warnings.mock.calls[0].arguments
  assert.deepEqual([message, code], ['the logger failed and is passed over: secret', 'OVERCURRENT_LOGGER'])
})

test('logging keeps no process alive', () => {
  const script = `require('overcurrent').logEvents(console)`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, '', ''])
})

test('what is no logger is refused', () => {
  const refused = (make, path, rule) => assert.throws(make, { name: 'InvalidPolicy', path, rule })
  refused(() => logEvents(), 'logger', 'must have a method `debug`')
  refused(() => logEvents({ debug() {}, info() {} }), 'logger', 'must have a method `warn`')
  refused(() => logEvents(console, { guard: {} }), 'guard', 'must be a `Guard`')
})
