/**
 * Finds the addon and loads it: the one that was built here, which lies beside this file, else the one in
 * the package of this platform, an optional dependency that is installed where its `os`, `cpu` and `libc`
 * fit.
 *
 * Which C library a Linux has is asked only where the packages of both are installed or none is: the
 * answer takes milliseconds.
 */
import { join } from 'node:path'

/** A place where the addon was looked for, and why it is not from there. */
interface Miss {
  readonly place: string
  readonly reason: unknown
}

/**
 * The addon of this machine.
 * @throws Error naming the platform, each place that was tried and the command that builds it
 */
export function load(): unknown {
  const misses: Miss[] = []
  for (const place of places()) {
    try {
      return require(place) as unknown
    } catch (reason) {
      misses.push({ place, reason })
    }
  }
  const found = misses.find(({ place, reason }) => !isMissing(place, reason))
  const tried = misses.map(({ place, reason }) => `\`${place}\` (${why(place, reason)})`).join(' and ')
  throw new Error(
    `overcurrent has no native addon for ${platform()}: tried ${tried}; install it with its optional ` +
      'dependencies, or build it in a checkout of its repository with `npm ci && npm run build`',
    found === undefined ? undefined : { cause: found.reason },
  )
}

function* places(): Generator<string> {
  yield join(__dirname, 'overcurrent.node')
  const fitting = names().filter(isInstalled)
  yield fitting.length === 1 ? fitting[0]! : `overcurrent-${platform()}`
}

/** The packages whose addon may be for this machine. */
function names(): string[] {
  if (process.platform !== 'linux') return [`overcurrent-${platform()}`]
  return ['gnu', 'musl'].map(libc => `overcurrent-linux-${process.arch}-${libc}`)
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

/** The platform as the names of the packages have it. */
export function platform(): string {
  const { platform, arch } = process
  if (platform === 'win32') return `win32-${arch}-msvc`
  if (platform === 'linux') return `linux-${arch}-${libc()}`
  return `${platform}-${arch}`
}

/** The C library that Node itself runs on. */
function libc(): 'gnu' | 'musl' {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  const { excludeNetwork } = report
  // Else the report looks up the names of all peers that there are connections to.
  report.excludeNetwork = true
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork
  return header.glibcVersionRuntime === undefined ? 'musl' : 'gnu'
}

function why(place: string, reason: unknown): string {
  if (isMissing(place, reason)) return 'not found'
  return reason instanceof Error ? reason.message : String(reason)
}

/** Whether `place` itself is not there, rather than something it needs. */
function isMissing(place: string, reason: unknown): boolean {
  return (
    reason instanceof Error &&
    'code' in reason &&
    reason.code === 'MODULE_NOT_FOUND' &&
    reason.message.includes(`'${place}'`)
  )
}
