/** The package as it is installed: its entry points, ESM and CommonJS, threads, and what is in it. */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as imported from 'overcurrent'
import { node, program } from './tools.mjs'

const require = createRequire(import.meta.url)
const manifest = require('overcurrent/package.json')
const installed = dirname(require.resolve('overcurrent/package.json'))
const project = join(installed, '../..')
const tarball = join(project, `overcurrent-${manifest.version}.tgz`)

/** What users can import. */
const entries = Object.keys(manifest.exports).filter(entry => entry !== './package.json')
const specifier = entry => entry.replace(/^\./, 'overcurrent')

test('it is the installed one', () => {
  assert.ok(require.resolve('overcurrent').includes(`${sep}node_modules${sep}overcurrent${sep}`))
})

test('`import` and `require` give the same objects', async () => {
  const names = [
    'AttemptTimeout',
    'Breaker',
    'BreakerOpen',
    'Budget',
    'DeadlineExceeded',
    'Guard',
    'InvalidPolicy',
    'ManualClock',
    'Metrics',
    'OvercurrentError',
    'Permit',
    'Registry',
    'RegistryFull',
    'Retry',
    'RetryCall',
    'Subscription',
    'TraceContext',
    'callInfo',
    'compose',
    'constant',
    'explain',
    'exponential',
    'linear',
    'logEvents',
    'metrics',
    'proportional',
    'schedule',
    'subscribe',
  ]
  assert.deepEqual(Object.keys(require('overcurrent')).sort(), names)
  for (const entry of entries) {
    const required = require(specifier(entry))
    const { default: _, __esModule, 'module.exports': __, ...namespace } = await import(specifier(entry))
    assert.ok(Object.keys(required).length > 0, entry)
    assert.deepEqual(Object.keys(namespace).sort(), Object.keys(required).sort(), entry)
    for (const name of Object.keys(required)) assert.equal(namespace[name], required[name], `${entry} ${name}`)
  }
})

test('all entry points share one instance', async () => {
  const { ManualClock } = await import('overcurrent/testing')
  assert.equal(ManualClock, imported.ManualClock)
  const guard = new imported.Guard('g')
  guard.breaker.forceOpen()
  const switched = require('overcurrent/testing').disabled()
  assert.equal(await guard.call(() => 'through'), 'through')
  switched[Symbol.dispose]()
  await assert.rejects(guard.call(() => 'through'), imported.BreakerOpen)
})

test('each entry point is of one pattern, with types for both', () => {
  for (const entry of entries) {
    const file = `./bindings-node/dist/${entry === '.' ? 'index' : entry.slice(2)}`
    const pattern = {
      import: { types: `${file}.d.mts`, default: `${file}.mjs` },
      require: { types: `${file}.d.ts`, default: `${file}.js` },
    }
    assert.deepEqual(manifest.exports[entry], pattern)
    // For TypeScript before 7 where it knows no `exports`.
    if (entry !== '.') assert.deepEqual(manifest.typesVersions['*'][entry.slice(2)], [pattern.require.types])
    // The order decides which condition holds.
    assert.deepEqual(Object.keys(manifest.exports[entry].import), ['types', 'default'])
    for (const path of Object.values(pattern).flatMap(Object.values)) assert.ok(statSync(join(installed, path)).isFile())
  }
  assert.throws(() => require('overcurrent/bindings-node/dist/native.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
})

test('it has no dependency but the addons, and asks for none but for its adapters', () => {
  assert.equal(manifest.dependencies, undefined)
  assert.ok(Object.keys(manifest.optionalDependencies).every(name => name.startsWith('overcurrent-')))
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    assert.equal(manifest.peerDependenciesMeta?.[name]?.optional, true, name)
  }
  assert.equal(manifest.scripts, undefined)
})

test('it is small, and carries no addon', t => {
  const { size } = statSync(tarball)
  t.diagnostic(`${size} bytes packed`)
  assert.ok(size <= 1.5 * 2 ** 20, `${size} bytes`)
  const files = readdirSync(installed, { recursive: true })
  assert.deepEqual(
    files.filter(file => file.endsWith('.node')),
    [],
  )
  for (const file of ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE']) assert.ok(files.includes(file), file)
})

test('publint has nothing to say', () => {
  const { status, printed } = node(program('publint'), 'run', tarball, '--strict')
  assert.equal(status, 0, printed)
  assert.match(printed, /All good!/)
})

test('the types resolve alike everywhere, says attw', () => {
  const { status, printed } = node(program('@arethetypeswrong/cli'), tarball, '--format', 'json')
  assert.equal(status, 0, printed)
  const { analysis } = JSON.parse(printed)
  assert.deepEqual(Object.keys(analysis.entrypoints).sort(), [...entries, './package.json'].sort())
  assert.deepEqual(analysis.problems, [])
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
