/**
 * Who listens to decisions, and when they hear of them: after the decision, once all that follows from it is
 * done, and before anybody who awaits the call goes on.
 *
 * INVARIANT: no listener runs inside another. What a listener decides is heard in a later turn of the event
 * loop, so one that answers every event with another cannot hold the thread up.
 */
import { clearInterval, setImmediate, setInterval } from 'node:timers'
import type { Event } from './event.js'
import { native } from './native.js'
import type { Reporter } from './report.js'
import { tracer } from './tracer.js'

/** A function of the user's, for events of some kind. */
export type Listener = (event: never) => unknown

/** How much an event matters to who runs the program, as the core has it: 0 for debugging, 1 worth a line, 2 a warning. */
export type Severity = 0 | 1 | 2

/** Somebody who listens. */
export interface Hearer {
  /** Whether of a breaker's rejections only the first one after each change of its state is heard. */
  readonly firstRejections?: boolean
  hear(event: Event, severity: Severity): void
}

/** How long what other threads decide may wait to be heard, in ms. */
const LATEST = 50

/** All who listen in this thread, by their numbers; some as long as somebody else holds them. */
const hearers = new Map<number, { deref(): Hearer | undefined }>()
let telling = false
/** Whether other threads may decide about what is heard here. */
let shared = false
let timer: NodeJS.Timeout | undefined

/** Begins to listen to the guard or breaker of a handle, or to all there are. Answers the listener's number. */
export function listen(source: number | undefined, hearer: { deref(): Hearer | undefined }): number {
  const listener = native.listen(source, hearer.deref()?.firstRejections === true)
  hearers.set(listener, hearer)
  watch()
  return listener
}

/** Ends a listener. */
export function unlisten(listener: number): void {
  hearers.delete(listener)
  native.unlisten(listener)
  watch()
}

/** Tells all who listen of what was decided. Asked by whoever has asked for a decision, last of all. */
export function tell(): void {
  if (tracer !== undefined) tracer.decided()
  if (hearers.size !== 0 && !telling && native.heard() !== 0) deliver()
}

function deliver(): void {
  telling = true
  try {
    const taken = native.takeEvents()
    for (let index = 0; index < taken.length; index += 3) {
      const hearer = hearers.get(taken[index] as number)?.deref()
      hearer?.hear(taken[index + 2] as Event, taken[index + 1] as Severity)
    }
  } finally {
    telling = false
  }
  // What listeners have decided.
  if (native.heard() !== 0) setImmediate(deliver)
}

/** From now on other threads may decide about what is heard here. */
export function sharing(): void {
  shared = true
  watch()
}

/** Looks now and then for what other threads have decided, where they can. */
function watch(): void {
  const wanted = shared && hearers.size !== 0
  if (wanted === (timer !== undefined)) return
  if (!wanted) clearInterval(timer)
  timer = wanted ? setInterval(tell, LATEST).unref() : undefined
}

/** Calls a listener, which can do no harm. */
export function heard(listener: Listener, event: Event, reporter: Reporter): void {
  reporter.attempt(`the listener of \`${event.name}\``, () => listener(event as never))
}
