/**
 * Packs the package and installs it into a project of its own, target/installed-node, which the tests
 * run in: what is tested is what users get.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = join(root, 'target/installed-node')

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

rmSync(project, { recursive: true, force: true })
mkdirSync(project, { recursive: true })
writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'installed', private: true }))
const [{ filename }] = JSON.parse(npm(root, 'pack', '--json', '--pack-destination', project))
npm(project, 'install', '--no-audit', '--no-fund', '--no-package-lock', `./${filename}`)
