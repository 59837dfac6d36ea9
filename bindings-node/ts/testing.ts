/**
 * What makes guarded code easy to test: waits that take no time, guards that do nothing, a list of what was
 * decided, and a clock that is moved by hand.
 */
import type { Event } from './event.js'
import { subscribe, type Source } from './subscribe.js'
import { disabled as disabling, instant as skipping, type Switch } from './switch.js'
import { isThenable } from './wrap.js'

export { ManualClock } from './clock.js'

/** A switch that is on until this is disposed of, as `using` does at the end of a block. */
export interface Switched {
  [Symbol.dispose](): void
}

/**
 * Has no call wait that begins until the switch is off again: in the block of `using instant()`, or in
 * `run`, to the end of the promise it returns.
 *
 * What a call would have waited counts as time that has passed, for that call alone. So it is decided as
 * if it had waited: a deadline stops retries, and a call that waits for an open breaker gets to probe it.
 * Attempt timeouts run in real time, or by the fake timers that are in place. A guard with a `ManualClock`
 * never waits; its clock is moved, here too.
 *
 * The switch is one for the whole thread, so it reaches guards that are made elsewhere, and every test that
 * runs at the same time in it. It may be turned on again while it is on; it is off when all are done.
 *
 * @returns with `run` what that returns, else what turns the switch off
 * @throws what `run` throws
 *
 * @example
 * import { Retry, constant } from 'overcurrent'
 * import { instant } from 'overcurrent/testing'
 *
 * const retry = new Retry({ backoff: constant('1h') })
 * let calls = 0
 * const receipt = await instant(() => retry.call(() => {
 *   if (++calls < 3) throw new Error('not yet')
 *   return 'receipt'
 * }))
 */
export function instant(): Switched
export function instant<T>(run: () => PromiseLike<T>): Promise<T>
export function instant<T>(run: () => T): T
export function instant(run?: () => unknown): unknown {
  return switched(skipping, run)
}

/**
 * Has calls go straight through guards, breakers and retries that begin until the switch is off again: in
 * the block of `using disabled()`, or in `run`, to the end of the promise it returns.
 *
 * Such a call makes one attempt: no breaker is asked, nothing is counted, nothing is cut by a timeout, no
 * hook runs, and an error comes out as it was thrown. The caller's own `signal` still ends it.
 * `Breaker.acquire` grants a permit that counts nowhere, and a call begun by `Retry.start` is told to stop
 * after its first failure.
 *
 * The switch is one for the whole thread, as that of `instant` is.
 *
 * @returns with `run` what that returns, else what turns the switch off
 * @throws what `run` throws
 *
 * @example
 * import { Guard } from 'overcurrent'
 * import { disabled } from 'overcurrent/testing'
 *
 * const payments = new Guard('payments')
 * payments.breaker?.forceOpen()
 * const receipt = await disabled(() => payments.call(async () => 'receipt'))
 */
export function disabled(): Switched
export function disabled<T>(run: () => PromiseLike<T>): Promise<T>
export function disabled<T>(run: () => T): T
export function disabled(run?: () => unknown): unknown {
  return switched(disabling, run)
}

/** What was decided, in order: an array that grows until it is disposed of. */
export type Captured = Event[] & Switched

/**
 * Collects the events of one guard and its breaker, of one breaker, or of the whole process: until what it
 * returns is disposed of, or in `run`, to the end of the promise that it returns.
 *
 * An event is there as soon as whoever awaits the call goes on. Calls under `disabled` tell nothing.
 *
 * @param source `guard` or `breaker`, or neither for all there are
 * @param run is given the events
 * @returns with `run` what that returns, else the events
 * @throws InvalidPolicy where the source is none; what `run` throws
 *
 * @example
 * import { Guard } from 'overcurrent'
 * import { captureEvents, instant } from 'overcurrent/testing'
 *
 * const payments = new Guard('payments', { retry: { maxAttempts: 2 } })
 * const events = captureEvents({ guard: payments })
 * await instant(() => payments.call(() => { throw new Error('failure') })).catch(() => {})
 * events[Symbol.dispose]()
 * console.log(events.map(({ name }) => name)) // [ 'retry', 'giveUp' ]
 */
export function captureEvents(source?: Source): Captured
export function captureEvents<T>(source: Source, run: (events: readonly Event[]) => PromiseLike<T>): Promise<T>
export function captureEvents<T>(source: Source, run: (events: readonly Event[]) => T): T
export function captureEvents(source?: Source, run?: (events: readonly Event[]) => unknown): unknown {
  optional(run)
  const events: Event[] = []
  const subscription = subscribe(event => events.push(event), source)
  const close = () => subscription.close()
  // Not among what an array is compared by.
  if (run === undefined) return Object.defineProperty(events, Symbol.dispose, { value: close })
  return during(() => run(events), close)
}

function switched(which: Switch, run: (() => unknown) | undefined): unknown {
  optional(run)
  const turnOff = which.turnOn()
  return run === undefined ? { [Symbol.dispose]: turnOff } : during(run, turnOff)
}

function optional(run: unknown): void {
  if (run !== undefined && typeof run !== 'function') throw new TypeError('a function is needed, or nothing')
}

/** What `run` returns; `end` comes after it, or after the promise that it returns. */
function during(run: () => unknown, end: () => void): unknown {
  let result: unknown
  try {
    result = run()
  } catch (error) {
    end()
    throw error
  }
  if (isThenable(result)) return Promise.resolve(result).finally(end)
  end()
  return result
}
