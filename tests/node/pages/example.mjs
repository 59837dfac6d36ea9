/**
 * Runs an example of the docs in no time: `node example.mjs FILE`. Timers fire as soon as nothing else is left
 * to do, the earliest first, and the clocks have moved on by then.
 *
 * INVARIANT: time passes until the example has come to its end, as in a process that serves something, and
 * then only while a timer waits that would keep the process alive.
 */
import { pathToFileURL } from 'node:url'

let now = 1_000_000
let number = 0
const timers = new Map()
const immediately = globalThis.setImmediate
/** Turns of the event loop without anything to do before time passes. */
const QUIET = 3
let awake = false
let running = true

class Timer {
  constructor(run, delay, args, every) {
    const whole = Math.trunc(Number(delay))
    this.delay = whole >= 1 && whole < 2 ** 31 ? whole : 1
    this.run = () => run(...args)
    this.every = every
    this.held = true
    this.set()
  }

  set() {
    this.due = now + this.delay
    this.number = ++number
    timers.set(this.number, this)
    wake()
    return this
  }

  ref() {
    this.held = true
    wake()
    return this
  }

  unref() {
    this.held = false
    return this
  }

  hasRef() {
    return this.held
  }

  refresh() {
    this.close()
    return this.set()
  }

  close() {
    timers.delete(this.number)
  }
}

function wake() {
  if (awake) return
  awake = true
  quiet(QUIET)
}

function quiet(turns) {
  immediately(() => {
    if (turns > 0) return quiet(turns - 1)
    awake = false
    if (timers.size === 0 || !(running || [...timers.values()].some(({ held }) => held))) return
    const [next] = [...timers.values()].sort((one, other) => one.due - other.due || one.number - other.number)
    now = Math.max(now, next.due)
    next.close()
    if (next.every) next.set()
    wake()
    next.run()
  })
}

const clear = timer => timer?.close?.()
globalThis.setTimeout = (run, delay, ...args) => new Timer(run, delay, args, false)
globalThis.setInterval = (run, delay, ...args) => new Timer(run, delay, args, true)
globalThis.clearTimeout = globalThis.clearInterval = clear
Date.now = () => now
performance.now = () => now

try {
  await import(pathToFileURL(process.argv[2]).href)
} finally {
  running = false
}
