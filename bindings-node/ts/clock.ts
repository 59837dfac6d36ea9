/**
 * Where the time comes from: JavaScript's own clock and timers, looked up at each use so that fake
 * ones hold, or a clock that a test moves by hand.
 */
import { clearImmediate, setImmediate } from 'node:timers'
import { CoarseClock } from './coarse.js'
import { LONGEST, ManualQueue, TimerQueue, type Deadlines } from './deadlines.js'
import { accepted, refuse } from './errors.js'
import { INSPECT, shownAs } from './inspect.js'
import { native, own } from './native.js'
import type { Duration } from './policy.js'

/** What the rest of the package needs of a clock. Times are in ns. */
export interface Time {
  /** The handle of a manual clock. */
  readonly handle: number | undefined
  now(): number
  /** The same at less cost, as `CoarseClock` says: as much as it is behind, it may be wrong. */
  coarse(): number
  /** Where the attempts of one guard wait for their end. `ref` is whether that keeps the process alive. */
  deadlines(ref: boolean): Deadlines
  /** Resumes after `nanos`, which is also the wait that the native call answered last. */
  wait(nanos: number, call: number, ref: boolean, resume: () => void): Waiting
  /** Resolves after exactly so many ns. */
  sleep(nanos: bigint, ref: boolean): Promise<void>
  /** The same for one call whose waits take no time: itself where they take none anyway. */
  skipping(): Time
}

/** A wait that can be given up. */
export interface Waiting {
  cancel(): void
}

const MILLI = 1e6

/** A wait on a timer. */
class TimerWait implements Waiting {
  #timer: NodeJS.Timeout | undefined
  readonly #due: number
  readonly #ref: boolean
  readonly #resume: () => void

  constructor(nanos: number, ref: boolean, resume: () => void) {
    this.#due = host.now() + nanos
    this.#ref = ref
    this.#resume = resume
    this.#arm(nanos)
  }

  #arm(nanos: number): void {
    const delay = Math.ceil(nanos / MILLI)
    this.#timer = globalThis.setTimeout(
      () => {
        const left = this.#due - host.now()
        // A timer may fire within a millisecond of its time; a longer wait takes several.
        if (delay > LONGEST || (left > 0 && left <= MILLI)) this.#arm(left)
        else this.#resume()
      },
      Math.min(delay, LONGEST),
    )
    // What takes no time is no wait, but a turn of the event loop.
    if (!this.#ref && nanos > 0) this.#timer.unref?.()
  }

  cancel(): void {
    globalThis.clearTimeout(this.#timer)
  }
}

// Reading the global `performance` costs as much as its clock, so it is kept. Fake timers that put
// another in its place put their own `setTimeout` there too, which shows.
let { performance, setTimeout: seen } = globalThis

/** The timers that were in place first. Under any others time is what a test says: nothing is read roughly. */
const first = seen
const coarse = new CoarseClock(hostNow, (run, ms) => void first(run, ms).unref?.())

function hostNow(): number {
  if (setTimeout !== seen) ({ performance, setTimeout: seen } = globalThis)
  return performance.now() * MILLI
}

/** How far the machine's clock is ahead of this thread's, as two readings of theirs say; never less than it is. */
function ahead(): number {
  const now = hostNow()
  return Number(process.hrtime.bigint()) - now
}

// Each thread counts from its own beginning; what they share needs one time. Of several readings the one
// with the least between its two halves is the best.
native.anchor(Math.min(...Array.from({ length: 8 }, ahead)))

/** JavaScript's clock. */
export const host: Time = {
  handle: undefined,
  now: hostNow,
  coarse: () => (setTimeout === first ? coarse.now() : hostNow()),
  deadlines: ref => new TimerQueue(host.now, ref),
  wait: (nanos, _call, ref, resume) => new TimerWait(nanos, ref, resume),
  sleep: (nanos, ref) => new Promise(resolve => new TimerWait(Number(nanos), ref, resolve)),
  skipping: () => new SkippedTime(),
}

// Fake timers do not hold a wait that takes no time, which still lets everybody else have a turn.
const [soon, notSoon] = [setImmediate, clearImmediate]

/** JavaScript's clock for one call: what it would have waited counts as time that has passed. */
class SkippedTime implements Time {
  readonly handle = undefined
  #skipped = 0

  now(): number {
    return host.now() + this.#skipped
  }

  coarse(): number {
    return this.now()
  }

  deadlines(ref: boolean): Deadlines {
    return new TimerQueue(() => this.now(), ref)
  }

  wait(nanos: number, _call: number, _ref: boolean, resume: () => void): Waiting {
    this.#skipped += nanos
    const immediate = soon(resume)
    return { cancel: () => notSoon(immediate) }
  }

  sleep(nanos: bigint): Promise<void> {
    return new Promise(resolve => void this.wait(Number(nanos), NaN, false, resolve))
  }

  skipping(): Time {
    return this
  }
}

class ManualTime implements Time {
  readonly handle = own(this, native.clockNew())
  readonly queue = new ManualQueue()

  now(): number {
    return Number(native.clockNow(this.handle))
  }

  coarse(): number {
    return this.now()
  }

  deadlines(): Deadlines {
    return this.queue
  }

  /** Waiting moves the clock on at once; the call goes on in a microtask, one that no fake timers hold. */
  wait(_nanos: number, call: number, _ref: boolean, resume: () => void): Waiting {
    native.sleep(call, this.handle)
    let over = false
    void Promise.resolve().then(() => {
      this.queue.expire(this.now())
      if (!over) resume()
    })
    return { cancel: () => void (over = true) }
  }

  sleep(nanos: bigint): Promise<void> {
    this.move(`${nanos}ns` as Duration, false)
    return Promise.resolve()
  }

  skipping(): Time {
    return this
  }

  move(by: Duration, set: boolean): void {
    accepted(native.clockMove(this.handle, by, set))
    this.queue.expire(this.now())
  }
}

/** The time by a clock, JavaScript's if there is none. */
export let timeOf: (clock: ManualClock | undefined) => Time

/**
 * A clock for tests: it stands still until it is moved, and waits move it, so a test never sleeps.
 * Moving it past the end of a running attempt cuts that attempt.
 */
export class ManualClock {
  readonly #time = new ManualTime()

  static {
    timeOf = clock => {
      if (clock === undefined) return host
      return clock instanceof ManualClock ? clock.#time : refuse('clock', clock, 'must be a `ManualClock`')
    }
  }

  /** Nanoseconds since its creation. */
  get nowNs(): bigint {
    return native.clockNow(this.#time.handle)
  }

  /** Moves it on. */
  advance(by: Duration): void {
    this.#time.move(by, false)
  }

  /** Sets it to `sinceStart` after its creation, also back. */
  set(sinceStart: Duration): void {
    this.#time.move(sinceStart, true)
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { nowNs: this.nowNs })
  }
}
