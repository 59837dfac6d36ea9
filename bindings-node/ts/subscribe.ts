/**
 * Listening to all events, of all guards and breakers or of one.
 */
import { Breaker, coreOf } from './breaker.js'
import { refuse } from './errors.js'
import type { Event } from './event.js'
import { Guard, sourceOf } from './guard.js'
import { heard, listen, unlisten, type Hearer } from './hearing.js'
import { INSPECT, shownAs } from './inspect.js'
import { native } from './native.js'
import { only } from './options.js'
import { Reporter } from './report.js'

/** Listens until it is closed, as `using` does at the end of its block. */
export class Subscription {
  readonly #listener: number
  #dropped: number | undefined = undefined

  /** @internal */
  constructor(listener: number) {
    this.#listener = listener
  }

  /** How many events were forgotten, as too many of other threads' waited to be heard. */
  get dropped(): number {
    return this.#dropped ?? native.eventsDropped(this.#listener)
  }

  /** Listens no more. */
  close(): void {
    this.#dropped ??= this.dropped
    unlisten(this.#listener)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { dropped: this.dropped })
  }
}

/** Whose events are heard: those of a guard and its breaker, or of a breaker; of all there are, if it is neither. */
export interface Source {
  readonly guard?: Guard | undefined
  readonly breaker?: Breaker | undefined
}

/**
 * Calls `listener` with every event of this process, or of one guard and its breaker, or of one breaker.
 *
 * It hears of a decision right after it, in the asynchronous context of the call, and before whoever awaits
 * the call goes on; of what other threads decide about shared guards, within 50 ms. If it throws, that is
 * reported as a warning and changes nothing. What it decides itself is heard in a later turn.
 *
 * @example
 * const subscription = subscribe(event => console.log(event), { guard: payments })
 * subscription.close()
 * @throws InvalidPolicy where the listener is no function, or the source is none
 */
export function subscribe(listener: (event: Event) => unknown, source: Source = {}): Subscription {
  if (typeof listener !== 'function') refuse('listener', listener, 'must be a function')
  const reporter = new Reporter('OVERCURRENT_LISTENER')
  return subscribed({ hear: event => heard(listener, event, reporter) }, source)
}

/** Has `hearer` listen to a source. */
export function subscribed(hearer: Hearer, source: Source): Subscription {
  // A guard has a breaker, too, and would be taken for a source of that alone.
  if (source instanceof Guard) refuse('source', 'a guard', 'must be `{ guard }`')
  if (source instanceof Breaker) refuse('source', 'a breaker', 'must be `{ breaker }`')
  const { guard, breaker } = only('source', source, ['guard', 'breaker'])
  if (guard !== undefined && !(guard instanceof Guard)) refuse('guard', guard, 'must be a `Guard`')
  if (breaker !== undefined && !(breaker instanceof Breaker)) refuse('breaker', breaker, 'must be a `Breaker`')
  if (guard !== undefined && breaker !== undefined) refuse('breaker', breaker.name, 'cannot be set beside `guard`')
  const handle = guard === undefined ? breaker && coreOf(breaker).handle : sourceOf(guard)
  return new Subscription(listen(handle, { deref: () => hearer }))
}
