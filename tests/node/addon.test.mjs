/** Where the addon is found, and what is said where it is not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const installed = dirname(require.resolve('overcurrent/package.json'))
const manifest = require('overcurrent/package.json')
const { platform } = require(join(installed, 'bindings-node/dist/addon.js'))
const carrier = `overcurrent-${platform()}`
const addon = require.resolve(carrier)

/** A project of its own that has the package, with its platform's where `carriers` names some. */
function project(t, carriers = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'overcurrent-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(installed, join(folder, 'node_modules/overcurrent'), { recursive: true })
  for (const [name, content] of Object.entries(carriers)) {
    const at = join(folder, 'node_modules', name)
    mkdirSync(at, { recursive: true })
    writeFileSync(join(at, 'package.json'), JSON.stringify({ name, main: 'overcurrent.node' }))
    writeFileSync(join(at, 'overcurrent.node'), content)
  }
  return folder
}

/** What a process says that loads the package there; `as` pretends to be another platform. */
function loaded(folder, as = {}) {
  const pretend = `
    for (const [name, value] of Object.entries(${JSON.stringify({ platform: as.platform, arch: as.arch })}))
      if (value !== undefined) Object.defineProperty(process, name, { value })
    const libc = ${JSON.stringify(as.libc)}
    if (libc !== undefined) process.report.getReport = () =>
      ({ header: libc === 'gnu' ? { glibcVersionRuntime: '2.28' } : {} })
    let reports = 0
    const { getReport } = process.report
    process.report.getReport = (...args) => (reports++, getReport.apply(process.report, args))
    require('overcurrent')
    const loaded = Object.keys(require.cache).filter(file => file.endsWith('.node'))
    console.log(JSON.stringify({ loaded, reports }))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', pretend], { cwd: folder, encoding: 'utf8' })
  return status === 0 ? { ...JSON.parse(stdout), error: undefined } : { error: stderr }
}

const native = readFileSync(addon)

test('it comes from the package of the platform, without asking for the C library', t => {
  const folder = project(t, { [carrier]: native })
  const { loaded: files, reports, error } = loaded(folder)
  assert.equal(error, undefined)
  assert.equal(files.length, 1)
  assert.ok(files[0].includes(carrier), files[0])
  assert.equal(reports, 0)
})

test('one that was built here goes before', t => {
  const folder = project(t, { [carrier]: native })
  const local = join(folder, 'node_modules/overcurrent/bindings-node/dist/overcurrent.node')
  writeFileSync(local, native)
  assert.deepEqual(loaded(folder).loaded, [local])
  writeFileSync(local, 'no addon')
  const [other, ...more] = loaded(folder).loaded
  assert.ok(other.includes(carrier), other)
  assert.deepEqual(more, [])
})

// Only Linux has several.
if (process.platform === 'linux')
  test('where the packages of both are installed, the C library decides', t => {
    const { arch } = process
    const both = { [`overcurrent-linux-${arch}-gnu`]: native, [`overcurrent-linux-${arch}-musl`]: native }
    for (const libc of ['gnu', 'musl']) {
      const { loaded: files, error } = loaded(project(t, both), { libc })
      assert.equal(error, undefined)
      assert.ok(files[0].includes(`overcurrent-linux-${arch}-${libc}`), files[0])
    }
  })

test('a missing addon is named, with what was tried and the command that builds it', t => {
  const folder = project(t)
  const names = [
    [{ platform: 'linux', arch: 'x64', libc: 'gnu' }, 'linux-x64-gnu'],
    [{ platform: 'linux', arch: 'arm64', libc: 'musl' }, 'linux-arm64-musl'],
    [{ platform: 'darwin', arch: 'arm64' }, 'darwin-arm64'],
    [{ platform: 'win32', arch: 'x64' }, 'win32-x64-msvc'],
    [{ platform: 'freebsd', arch: 'x64' }, 'freebsd-x64'],
  ]
  for (const [as, name] of names) {
    const { error } = loaded(folder, as)
    assert.ok(error.includes(`overcurrent has no native addon for ${name}: tried \``), error)
    assert.ok(error.includes(`overcurrent.node\` (not found) and \`overcurrent-${name}\` (not found);`), error)
    assert.ok(error.includes('build it in a checkout of its repository with `npm ci && npm run build`'), error)
    assert.ok(!error.includes('[cause]'), error)
  }
})

test('one that cannot be loaded is named, with the reason', t => {
  const { error } = loaded(project(t, { [carrier]: 'no addon' }))
  assert.match(error, new RegExp(`tried \`.*\` \\(not found\\) and \`${carrier}\` \\((?!not found).+\\);`, 's'))
  assert.match(error, /\[cause\]: Error:.* {2}code: 'ERR_DLOPEN_FAILED'/s)
})

test('each platform that is named has a package of the same version', () => {
  const { version, optionalDependencies } = manifest
  assert.equal(optionalDependencies[carrier], version)
  assert.deepEqual([...new Set(Object.values(optionalDependencies))], [version])
  const described = JSON.parse(readFileSync(join(dirname(addon), 'package.json'), 'utf8'))
  assert.equal(described.version, version)
  assert.deepEqual([described.os, described.cpu], [[process.platform], [process.arch]])
})
