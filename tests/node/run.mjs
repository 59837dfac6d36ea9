/**
 * Runs the tests against the installed package (see install.mjs): the types, as Node and as a bundler resolve
 * them, then the behaviour, once as usual and once as in a runtime that lets JavaScript see no native memory.
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
for (const part of ['node', 'vectors', 'scenarios', 'bad-policies.json', 'http.json', 'grpc.json', 'error-types.json', 'trace-context.json']) {
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
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
}
const lib = ['es2023', 'esnext.disposable']
/** The public types are checked by themselves too, with no more of the language than Node 20 has. */
const RESOLUTIONS = {
  nodenext: [{ lib, module: 'nodenext' }, ['types/*.mts', 'types/*.cts']],
  bundler: [{ lib, module: 'preserve', moduleResolution: 'bundler' }, ['types/*.mts']],
  'oldest library': [{ lib: ['es2022'], module: 'nodenext' }, ['types/plain.mts']],
}
for (const [name, [more, include]] of Object.entries(RESOLUTIONS)) {
  const config = join(tests, `tsconfig.${name.replace(' ', '-')}.json`)
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...options, ...more }, include }))
  run(`types: ${name}`, [join(root, 'node_modules/typescript/bin/tsc'), '--project', config])
}

const files = readdirSync(tests, { recursive: true }).filter(file => file.endsWith('.test.mjs'))
run('benches', ['--test', join(root, 'benches/node/bench.test.mjs')])
run('behaviour', ['--test', ...files])
run('behaviour without external memory', ['--test', ...files], { OVERCURRENT_NO_EXTERNAL_MEMORY: '1' })
