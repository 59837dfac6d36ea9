/** What is published for which platform: the packages, and the workflow that builds them. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { above, node } from './tools.mjs'

const { optionalDependencies, version, exports, repository } = createRequire(import.meta.url)('overcurrent/package.json')
const names = Object.keys(optionalDependencies)
const script = above('bindings-node/platforms.mjs')

/** Folders for addons and for packages. */
function folders(t) {
  const folder = mkdtempSync(join(tmpdir(), 'overcurrent-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [addons, out] = [join(folder, 'addons'), join(folder, 'out')]
  mkdirSync(addons)
  return { addons, out }
}

test('every package is written, what is asked for before what asks for it', t => {
  const { addons, out } = folders(t)
  for (const name of names) writeFileSync(join(addons, `${name}.node`), name)
  const { status, printed } = node(script, addons, out)
  assert.equal(status, 0, printed)
  const written = printed.trim().split('\n')
  assert.deepEqual(written.map(folder => basename(folder)), [...names, 'overcurrent'])
  const manifests = written.map(folder => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
  for (const [index, { name, version: its, main, os, cpu, libc, ...rest }] of manifests.slice(0, -1).entries()) {
    assert.equal(readFileSync(join(written[index], main), 'utf8'), name)
    const platform = [os[0], cpu[0], { glibc: 'gnu', musl: 'musl' }[libc?.[0]] ?? (os[0] === 'win32' ? 'msvc' : undefined)]
    assert.equal(`overcurrent-${platform.filter(part => part !== undefined).join('-')}`, name)
    assert.deepEqual([its, rest.repository, rest.scripts], [version, repository, undefined])
    assert.equal(libc === undefined, os[0] !== 'linux')
  }
  assert.deepEqual(manifests.at(-1).exports, exports)
  assert.throws(() => statSync(join(written.at(-1), 'bindings-node/dist/overcurrent.node')), { code: 'ENOENT' })
})

test('nothing is written where an addon is missing, which is named', t => {
  const { addons, out } = folders(t)
  for (const name of names.slice(1)) writeFileSync(join(addons, `${name}.node`), name)
  const { status, printed } = node(script, addons, out)
  assert.notEqual(status, 0)
  assert.ok(printed.includes(`lacks ${names[0]}.node\n`), printed)
  assert.throws(() => statSync(out), { code: 'ENOENT' })
})

test('the workflow builds every platform, with actions that cannot change', () => {
  const workflow = readFileSync(above('.github/workflows/node.yml'), 'utf8')
  const built = [...workflow.matchAll(/- platform: (\S+)/g)].map(([, platform]) => `overcurrent-${platform}`)
  assert.deepEqual(built.sort(), [...names].sort())
  const actions = [...workflow.matchAll(/uses: (\S+)/g)].map(([, action]) => action)
  assert.ok(actions.length > 0)
  for (const action of actions) assert.match(action, /@[0-9a-f]{40}$/)
})
