/**
 * Runs the tests against the installed package (see install.mjs): the types, then the behaviour, once
 * as usual and once as in a runtime that lets JavaScript see no native memory.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = join(root, 'target/installed-node')
const tests = join(project, 'tests/node')

// A copy, so that `overcurrent` is what is installed there and not this checkout.
rmSync(join(project, 'tests'), { recursive: true, force: true })
for (const part of ['node', 'vectors', 'bad-policies.json']) {
  cpSync(join(root, 'tests', part), join(project, 'tests', part), { recursive: true })
}
cpSync(join(root, 'README.md'), join(project, 'README.md'))

function run(title, args, env = {}) {
  console.log(`# ${title}`)
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: tests,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const options = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
}
writeFileSync(join(tests, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['types'] }))
run('types', [join(root, 'node_modules/typescript/bin/tsc'), '--project', tests])

const files = readdirSync(tests).filter(file => file.endsWith('.test.mjs'))
run('behaviour', ['--test', ...files])
run('behaviour without external memory', ['--test', ...files], { OVERCURRENT_NO_EXTERNAL_MEMORY: '1' })
