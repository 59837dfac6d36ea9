/**
 * Packs what is published, as far as it can be built here (the package, and that of this platform), and
 * installs it into a project of its own, target/installed-node, which the tests run in: what is tested is
 * what users get.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import addon from '../../bindings-node/dist/addon.js'
import { PLATFORMS, writeMain, writePlatform } from '../../bindings-node/platforms.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = join(root, 'target/installed-node')
const packages = join(root, 'target/npm')

function npm(cwd, ...args) {
  const { status, stdout, error } = spawnSync('npm', args, {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
  return stdout
}

/** The packed package of a folder, in the project. */
function packed(folder) {
  const [{ filename, size, unpackedSize }] = JSON.parse(npm(folder, 'pack', '--json', '--pack-destination', project))
  const kib = bytes => `${(bytes / 1024).toFixed(0)} KiB`
  console.log(`${filename}: ${kib(size)}, unpacked ${kib(unpackedSize)}`)
  return `./${filename}`
}

const here = PLATFORMS.find(({ name }) => name === addon.platform())
if (here === undefined) throw new Error(`nothing is published for ${addon.platform()}`)

for (const folder of [project, packages]) rmSync(folder, { recursive: true, force: true })
mkdirSync(project, { recursive: true })
writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'installed', private: true }))
const folders = [
  writeMain(packages),
  writePlatform(here, join(root, 'bindings-node/dist/overcurrent.node'), packages),
]
// The packages of the other platforms are nowhere; offline, nobody is asked for them.
npm(project, 'install', '--offline', '--no-audit', '--no-fund', '--no-package-lock', ...folders.map(packed))
