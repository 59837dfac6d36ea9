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

/** A function of the user's, for events of some kind. */
export type Listener = (event: never) => unknown

/** Somebody who listens. */
export interface Hearer {
  hear(event: Event): void
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
  const listener = native.listen(source)
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
  if (hearers.size !== 0 && !telling && native.heard() !== 0) deliver()
}

function deliver(): void {
  telling = true
  try {
    const taken = native.takeEvents()
    for (let index = 0; index < taken.length; index += 2)
      hearers.get(taken[index] as number)?.deref()?.hear(taken[index + 1] as Event)
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
  const failed = (error: unknown) => reporter.report(`the listener of \`${event.name}\``, error)
  try {
    const answer = listener(event as never)
    // It may be asynchronous, though nobody waits for it.
    if (answer instanceof Promise) answer.catch(failed)
  } catch (error) {
    failed(error)
  }
}
