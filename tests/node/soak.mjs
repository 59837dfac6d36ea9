/**
 * Calls guards very often, in every way a call can go, and watches the memory:
 * `node --expose-gc --max-semi-space-size=2 tests/node/soak.mjs [CALLS]`; 10 million by default. Every answer is checked; the run
 * fails where one is wrong, where heap or native memory grows, where Node warns of anything (as it does of
 * too many listeners), or where something stays behind on the signal that all calls share.
 *
 * The engine's space for young objects is kept small: it grows in steps of many megabytes, when the engine sees fit,
 * and would hide what we leave behind, or be taken for it.
 *
 * Calls come in waves, so that a thousand at a time hang on that one signal.
 */
import { getEventListeners } from 'node:events'
import { pathToFileURL } from 'node:url'
import { AttemptTimeout, BreakerOpen, Guard, constant } from 'overcurrent'
import { rejection, turn } from './tools.mjs'

const WAVE = 1_000
/** How often the memory is read. What is read first is compared with what is read last. */
const READINGS = 20
/** What may be added, in bytes: what the engine still learns. A native call that is left behind takes 200. */
const HEAP_GROWTH = 1.5 * 2 ** 20
const RSS_GROWTH = 3 * 2 ** 20

const forever = () => new Promise(() => {})

function expect(came, expected) {
  if (came !== expected) throw new Error(`expected ${String(expected)}, came ${String(came)}`)
}

/** The ways a call can go, and how many calls of a wave go them. */
export function ways() {
  const long = new AbortController()
  const { signal } = long
  const quick = { backoff: 'none', budget: { burst: 1_000 } }
  const healthy = new Guard('healthy', { retry: quick, breaker: { failureRate: 1 } })
  const patient = { backoff: constant('1s'), jitter: 'none', budget: false }
  const waiting = new Guard('waiting', { retry: patient, breaker: false })
  // A breaker that is forced closed counts every failure and opens for none.
  const failing = new Guard('failing', { retry: false })
  const twice = { maxAttempts: 2, backoff: 'none', budget: false }
  const hanging = new Guard('hanging', { attemptTimeout: 1, retry: twice })
  for (const guard of [failing, hanging]) guard.breaker.forceClosed()
  const open = new Guard('open')
  open.breaker.forceOpen()
  const error = new Error('mine')

  const all = {
    answered: [500, async n => expect(await healthy.call(async () => n, { signal }), n)],
    plain: [150, async n => expect(await healthy.call(() => n, { signal }), n)],
    later: [
      80,
      async n => {
        const fn = async context => {
          await turn()
          return context.signal.aborted ? undefined : n
        }
        expect(await healthy.call(fn, { signal }), n)
      },
    ],
    retried: [
      100,
      async n => {
        const fn = ({ attempt }) => (attempt === 1 ? Promise.reject(error) : n)
        expect(await healthy.call(fn, { signal }), n)
      },
    ],
    failed: [70, async () => expect(await rejection(failing.call(() => Promise.reject(error), { signal })), error)],
    rejected: [70, async () => expect((await rejection(open.call(forever, { signal }))).constructor, BreakerOpen)],
    cut: [5, async () => expect((await rejection(hanging.call(forever, { signal }))).constructor, AttemptTimeout)],
    late: [
      5,
      async () => {
        // What it comes to after the cut is nobody's concern, a rejection neither.
        const fn = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(error)))
        expect((await rejection(hanging.call(fn, { signal }))).constructor, AttemptTimeout)
      },
    ],
    aborted: [
      15,
      async () => {
        const own = new AbortController()
        const call = healthy.call(({ signal }) => (expect(signal.aborted, false), forever()), { signal: own.signal })
        own.abort(error)
        expect(await rejection(call), error)
      },
    ],
    'aborted in a wait': [
      5,
      async () => {
        const own = new AbortController()
        const call = waiting.call(() => Promise.reject(new Error('again')), { signal: own.signal })
        await turn()
        own.abort(error)
        expect(await rejection(call), error)
      },
    ],
  }
  return { all, signal, guards: { healthy, failing, hanging, open } }
}

/** The memory after all that can be collected is. */
async function reading() {
  for (let round = 0; round < 3; round++) {
    globalThis.gc()
    await turn()
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

/** The middle one, so that a single reading decides nothing. */
function middle(readings, what) {
  const sorted = readings.map(reading => reading[what]).sort((one, other) => one - other)
  return sorted[sorted.length >> 1]
}

const mebibytes = bytes => (bytes / 2 ** 20).toFixed(1)

/** Makes `calls` calls. Answers what went wrong, one line each. */
export async function soak(calls, print) {
  const { all, signal, guards } = ways()
  const wrong = []
  process.on('warning', warning => wrong.push(`${warning.name}: ${warning.message}`))
  process.on('unhandledRejection', error => wrong.push(`unhandled: ${String(error)}`))

  // The timers of a guard keep no process alive.
  const alive = setInterval(() => {}, 2 ** 30)
  const waves = Math.ceil(calls / WAVE)
  const readings = []
  let spent = 0
  let most = 0
  print('   calls       heap        rss')
  for (let wave = 1; wave <= waves; wave++) {
    const began = performance.now()
    const running = []
    for (const [share, way] of Object.values(all)) for (let n = 0; n < share; n++) running.push(way(n))
    most = Math.max(most, getEventListeners(signal, 'abort').length)
    await Promise.all(running)
    spent += performance.now() - began
    if (Math.floor((wave * READINGS) / waves) > Math.floor(((wave - 1) * READINGS) / waves)) {
      const { heap, rss } = await reading()
      readings.push({ heap, rss })
      print(`${`${wave * WAVE}`.padStart(8)} ${mebibytes(heap).padStart(6)} MiB ${mebibytes(rss).padStart(6)} MiB`)
    }
  }

  clearInterval(alive)

  // The first quarter is the engine's to warm up in.
  const quarter = READINGS / 4
  const before = readings.slice(quarter, 2 * quarter)
  const after = readings.slice(-quarter)
  const growth = what => middle(after, what) - middle(before, what)
  const [heap, rss] = [growth('heap'), growth('rss')]
  print(`grown by ${mebibytes(heap)} MiB of heap and ${mebibytes(rss)} MiB in all, from the second quarter to the last`)
  print(`${((spent * 1e3) / (waves * WAVE)).toFixed(2)} us per call; at most ${most} listeners on the shared signal`)
  if (heap > HEAP_GROWTH) wrong.push(`the heap grew by ${mebibytes(heap)} MiB`)
  if (rss > RSS_GROWTH) wrong.push(`native memory grew by ${mebibytes(rss)} MiB`)
  const left = getEventListeners(signal, 'abort').length
  if (left !== 0) wrong.push(`${left} listeners stayed on the signal`)
  const states = Object.values(guards).map(({ breaker }) => breaker.state)
  if (states.join() !== 'closed,forced_closed,forced_closed,forced_open') wrong.push(`the breakers are ${states}`)
  return [...new Set(wrong)]
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wrong = await soak(Number(process.argv[2] ?? 10_000_000), console.log)
  for (const line of wrong) console.log(`FAILED ${line}`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}
