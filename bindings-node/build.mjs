/**
 * Builds the addon and puts it into bindings-node/dist, which it empties first; `npm run build` then has
 * tsc add the rest.
 *
 * The addon is for the machine it is built on. CARGO_TARGET_DIR is respected; CARGO_BUILD_TARGET is not.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'bindings-node/dist')

/** What a command printed; ends this one where that one failed. */
function run(command, ...args) {
  const { status, stdout, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
  return stdout
}

// What was built says where it is; the name of a library differs from system to system.
const messages = run(
  'cargo',
  'build',
  '--release',
  '--locked',
  '--package',
  'overcurrent-node',
  '--message-format',
  'json-render-diagnostics',
)
const artifacts = messages
  .split('\n')
  .filter(line => line.startsWith('{'))
  .map(line => JSON.parse(line))
const addon = artifacts.find(
  ({ reason, target }) => reason === 'compiler-artifact' && target.name === 'overcurrent_node',
)?.filenames[0]
if (addon === undefined) throw new Error('cargo built no addon')

rmSync(dist, { recursive: true, force: true })
mkdirSync(dist, { recursive: true })
copyFileSync(addon, join(dist, 'overcurrent.node'))
