/** The package as it is installed: ESM and CommonJS, threads, and what a missing addon says. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as imported from 'overcurrent'

const require = createRequire(import.meta.url)
const required = require('overcurrent')

test('it is the installed one', () => {
  assert.ok(require.resolve('overcurrent').includes(`${sep}node_modules${sep}overcurrent${sep}`))
})

test('`import` and `require` give the same objects', () => {
  const names = [
    'AttemptTimeout',
    'Breaker',
    'BreakerOpen',
    'Budget',
    'DeadlineExceeded',
    'Guard',
    'InvalidPolicy',
    'ManualClock',
    'OvercurrentError',
    'Permit',
    'Retry',
    'RetryCall',
    'callInfo',
    'constant',
    'exponential',
    'linear',
    'proportional',
    'schedule',
  ]
  assert.deepEqual(Object.keys(required).sort(), names.sort())
  for (const name of names) assert.equal(imported[name], required[name], name)
})

test('it has types for both, an addon, and no dependency', () => {
  const manifest = require('overcurrent/package.json')
  const root = dirname(require.resolve('overcurrent/package.json'))
  assert.deepEqual([manifest.dependencies, manifest.optionalDependencies], [undefined, undefined])
  for (const kind of ['import', 'require']) {
    assert.ok(readFileSync(join(root, manifest.exports['.'][kind].types), 'utf8').includes('export'))
  }
  const shipped = readdirSync(join(root, 'bindings-node/dist'))
  assert.ok(shipped.includes(`overcurrent.${process.platform}-${process.arch}.node`))
  assert.throws(() => require('overcurrent/bindings-node/dist/native.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
})

test('each thread has its own objects', async () => {
  const script = `
    const { parentPort } = require('node:worker_threads')
    const { Breaker, Guard } = require('overcurrent')
    const guard = new Guard('g', { breaker: { consecutiveFailures: 1 }, retry: false })
    guard.call(() => { throw new Error() }).catch(() => parentPort.postMessage(guard.breaker.state))`
  const guard = new imported.Guard('g')
  const state = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(script, { eval: true })
      worker.once('message', resolve).once('error', reject)
    })
  assert.deepEqual(await Promise.all([state(), state()]), ['open', 'open'])
  assert.equal(await guard.call(() => guard.breaker.state), 'closed')
})

test('a missing addon is named, with the command that builds it', t => {
  const folder = mkdtempSync(join(tmpdir(), 'overcurrent-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const dist = dirname(require.resolve('overcurrent'))
  cpSync(dist, folder, { recursive: true, filter: file => !file.endsWith('.node') })
  const { stderr, status } = spawnSync(process.execPath, [join(folder, 'index.js')], { encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(stderr, /overcurrent has no native addon for .*; build it with `npm run build`/)
})
