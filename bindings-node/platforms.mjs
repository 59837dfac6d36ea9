/**
 * The packages that are published: one for each platform, which carries its addon, and `overcurrent`, which
 * carries none and names the others as optional dependencies, so that an installer picks the one that fits.
 *
 *   node bindings-node/platforms.mjs ADDONS OUT
 *
 * writes all of them into the folder OUT. ADDONS holds one `overcurrent-NAME.node` for each platform below.
 * It needs a build, as `npm run build` makes it. Everything but the platforms comes from the package.json of
 * the checkout: there is one version, kept there.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Named as `addon.ts` names them; `libc` only where a platform has several. */
export const PLATFORMS = [
  { name: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  { name: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { name: 'linux-arm64-musl', os: 'linux', cpu: 'arm64', libc: 'musl' },
  { name: 'darwin-x64', os: 'darwin', cpu: 'x64' },
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64' },
  { name: 'win32-x64-msvc', os: 'win32', cpu: 'x64' },
  { name: 'win32-arm64-msvc', os: 'win32', cpu: 'arm64' },
]

const LICENSES = ['LICENSE-MIT', 'LICENSE-APACHE']

/** The name of the package of a platform. */
export const packageOf = ({ name }) => `overcurrent-${name}`

const manifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Writes a package into its folder in `out`, which it empties first; answers that folder. */
function write(out, described, files) {
  const folder = join(out, described.name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(described, undefined, 2)}\n`)
  for (const file of LICENSES) cpSync(join(root, file), join(folder, file))
  for (const [from, to] of files) cpSync(from, join(folder, to), { recursive: true })
  return folder
}

/** Writes the package of a platform, with the file `addon`. */
export function writePlatform(platform, addon, out) {
  const { version, license, repository, engines } = manifest()
  const { os, cpu, libc } = platform
  const described = {
    name: packageOf(platform),
    version,
    description: `The addon of overcurrent for ${platform.name}`,
    license,
    repository,
    main: 'overcurrent.node',
    files: ['overcurrent.node', ...LICENSES],
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
  }
  return write(out, described, [[addon, 'overcurrent.node']])
}

/** Writes `overcurrent` itself, without the addon that was built here. */
export function writeMain(out) {
  const { scripts, devDependencies, allowScripts, overrides, ...described } = manifest()
  const { version } = described
  described.optionalDependencies = Object.fromEntries(PLATFORMS.map(platform => [packageOf(platform), version]))
  const folder = write(out, described, [[join(root, 'README.md'), 'README.md']])
  const dist = 'bindings-node/dist'
  const filter = file => !file.endsWith('.node')
  cpSync(join(root, dist), join(folder, dist), { recursive: true, filter })
  return folder
}

function writeAll(addons, out) {
  const built = PLATFORMS.map(platform => [platform, join(addons, `${packageOf(platform)}.node`)])
  const missing = built.filter(([, addon]) => !existsSync(addon)).map(([, addon]) => basename(addon))
  if (missing.length > 0) throw new Error(`\`${addons}\` lacks ${missing.join(', ')}`)
  // In the order of publishing: what is asked for before what asks for it.
  for (const [platform, addon] of built) console.log(writePlatform(platform, addon, out))
  console.log(writeMain(out))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [addons, out] = process.argv.slice(2)
  if (out === undefined) throw new Error('usage: node bindings-node/platforms.mjs ADDONS OUT')
  writeAll(resolve(addons), resolve(out))
}
