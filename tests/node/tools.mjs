/** What the tests share. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** A file of the checkout, which these tests are run in a folder of; the nearest one above. */
export function above(path) {
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, path))) return join(folder, path)
  }
  throw new Error(`there is no ${path}`)
}

/** The program of a tool among the development dependencies. */
export function program(name) {
  const described = above(join('node_modules', name, 'package.json'))
  const { bin } = JSON.parse(readFileSync(described, 'utf8'))
  return join(dirname(described), typeof bin === 'string' ? bin : Object.values(bin)[0])
}

/** A promise with its two ends. */
export function deferred() {
  let resolve
  let reject
  const promise = new Promise((...ends) => ([resolve, reject] = ends))
  return { promise, resolve, reject }
}

/** What a promise rejects with. */
export async function rejection(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not reject')
}

/** The samples of a metric that are not zero, by the value of one of their labels. */
export function counted(metrics, name, label) {
  const family = metrics.families.find(family => family.name === name)
  const samples = (family?.samples ?? []).filter(({ value }) => value !== 0)
  return Object.fromEntries(samples.map(({ labels, value }) => [labels[label], value]))
}

/** What the calls and the attempts of a guard came to, and how many calls are under way. */
export function callsOf(guard) {
  const metrics = guard.metrics()
  const [calls, attempts] = ['calls', 'attempts'].map(name => counted(metrics, `overcurrent_${name}_total`, 'outcome'))
  return { calls, attempts, inFlight: counted(metrics, 'overcurrent_in_flight', 'guard')[guard.name] ?? 0 }
}

/** Lets everything run that waits for nothing but its turn. */
export const turn = () => new Promise(resolve => setImmediate(resolve))

/** Puts `setTimeout` under the hand of a test; answers how to move the time, a timer at a time. */
export function fakeTimers(t, move = () => {}) {
  const timers = new Set()
  let now = 0
  t.mock.method(globalThis, 'setTimeout', (run, delay) => {
    const timer = { run, due: now + Math.max(1, Math.trunc(delay)), unref() {} }
    timers.add(timer)
    return timer
  })
  t.mock.method(globalThis, 'clearTimeout', timer => void timers.delete(timer))
  return milliseconds => {
    const end = now + milliseconds
    for (;;) {
      const [next] = [...timers].filter(timer => timer.due <= end).sort((one, other) => one.due - other.due)
      const to = next?.due ?? end
      move(to - now)
      now = to
      if (next === undefined) return
      timers.delete(next)
      next.run()
    }
  }
}

/** The same with `performance.now`. */
export function fakeTime(t) {
  let now = 1_000
  t.mock.method(performance, 'now', () => now)
  return fakeTimers(t, milliseconds => (now += milliseconds))
}

/** The code blocks of a page of docs that are marked with exactly `mark`. */
export function blocks(page, mark) {
  const text = readFileSync(above(page), 'utf8')
  return [...text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].filter(([, marked]) => marked === mark).map(([, , code]) => code)
}

/** Runs a script of Node's; answers what it printed and how it ended. */
export function node(script, ...args) {
  const { status, output } = spawnSync(process.execPath, [script, ...args], { cwd: here, encoding: 'utf8' })
  return { status, printed: output.join('') }
}
