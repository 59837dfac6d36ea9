/**
 * What bounds running attempts: one queue and one timer, however many calls are under way.
 *
 * All first attempts of a guard have the same time, so their ends come in the order of their starts,
 * and joining and leaving the queue is a matter of links. What would end before the last in the queue
 * (an attempt with little time left) gets a queue of its own. The timer keeps the process alive where it
 * is asked to, and then only as long as somebody waits.
 */

import type { Cancellable } from './callers.js'

/** Something that ends at a certain time unless it leaves the queue before. Times are in ns. */
export interface Due extends Cancellable {
  readonly due: number
  queue: Deadlines | undefined
  before: Due | undefined
  after: Due | undefined
  /** Where it is among others, to whoever keeps it there. */
  place: number
  /** Whose it is. */
  readonly owner: unknown
  /** Its time is up. It has left the queue. */
  expire(): void
}

/** Where attempts wait for their end; also those that nothing bounds, as somebody may ask for all of them. */
export interface Deadlines {
  add(item: Due): void
  delete(item: Due): void
  /** Those in it, and in the queues that belong to it. */
  items(): Due[]
  /** One that belongs to it, by a clock of its own. */
  apart(now: () => number): Deadlines
}

/** The longest delay a timer takes, in ms. */
export const LONGEST = 2 ** 31 - 1
const MILLI = 1e6

/** The ends of attempts by the clock `now`. */
export class TimerQueue implements Deadlines {
  readonly #now: () => number
  readonly #ref: boolean
  /** The queue that this one belongs to, and those with somebody in them that belong to this one. */
  readonly #from: TimerQueue | undefined
  readonly #others = new Set<TimerQueue>()
  #first: Due | undefined
  #last: Due | undefined
  #timer: NodeJS.Timeout | undefined
  /** The time the timer is set to, and the function that set it: fake timers may come and go. */
  #set = 0
  #by: unknown

  constructor(now: () => number, ref: boolean, from?: TimerQueue) {
    this.#now = now
    this.#ref = ref
    this.#from = from
  }

  add(item: Due): void {
    const last = this.#last
    if (last === undefined) this.#begin(item)
    else if (item.due < last.due) return this.apart(this.#now).add(item)
    else last.after = item
    item.before = last
    item.queue = this
    this.#last = item
    if (this.#timer === undefined || this.#by !== globalThis.setTimeout) this.#arm(this.#first!.due)
    else if (this.#ref && last === undefined) this.#timer.ref?.()
  }

  delete(item: Due): void {
    const { before, after } = item
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    item.before = item.after = item.queue = undefined
    if (this.#first !== undefined) return
    if (this.#ref) this.#timer?.unref?.()
    if (this.#from !== undefined) this.#from.#others.delete(this)
  }

  #begin(item: Due): void {
    this.#first = item
    if (this.#from !== undefined) this.#from.#others.add(this)
  }

  apart(now: () => number): TimerQueue {
    return new TimerQueue(now, this.#ref, this)
  }

  items(): Due[] {
    const items: Due[] = []
    for (let item = this.#first; item !== undefined; item = item.after) items.push(item)
    // One by one: in an outage there may be more than a call takes arguments.
    for (const other of this.#others) for (const item of other.items()) items.push(item)
    return items
  }

  #arm(due: number): void {
    const now = this.#now()
    const delay = Math.min(Math.max(Math.ceil((due - now) / MILLI), 1), LONGEST)
    this.#set = Math.min(due, now + LONGEST * MILLI)
    this.#by = globalThis.setTimeout
    this.#timer = globalThis.setTimeout(this.#fire, delay)
    if (!this.#ref) this.#timer.unref?.()
  }

  readonly #fire = (): void => {
    this.#timer = undefined
    let now = this.#now()
    // A timer counts whole milliseconds and may fire within one of its time. Where the clock is
    // further behind, the timers are fake ones that leave it alone, and are right.
    if (now < this.#set - MILLI) now = this.#set
    for (let item = this.#first; item !== undefined && item.due <= now; item = this.#first) {
      this.delete(item)
      item.expire()
    }
    if (this.#first !== undefined && this.#timer === undefined) this.#arm(this.#first.due)
  }
}

/** Attempts that nothing bounds. */
export class Endless implements Deadlines {
  readonly #items: Due[] = []

  add(item: Due): void {
    item.queue = this
    item.place = this.#items.length
    this.#items.push(item)
  }

  delete(item: Due): void {
    item.queue = undefined
    const last = this.#items.pop()!
    if (last === item) return
    this.#items[item.place] = last
    last.place = item.place
  }

  items(): Due[] {
    return [...this.#items]
  }

  apart(): Endless {
    return this
  }
}

/** The ends of attempts by a clock that is moved by hand. */
export class ManualQueue implements Deadlines {
  readonly #items = new Set<Due>()

  add(item: Due): void {
    item.queue = this
    this.#items.add(item)
  }

  delete(item: Due): void {
    item.queue = undefined
    this.#items.delete(item)
  }

  items(): Due[] {
    return [...this.#items]
  }

  apart(): ManualQueue {
    return this
  }

  /** Ends what is due at `now`, the earliest first. */
  expire(now: number): void {
    const due = [...this.#items].filter(item => item.due <= now).sort((one, other) => one.due - other.due)
    for (const item of due) {
      if (item.queue !== this) continue
      this.delete(item)
      item.expire()
    }
  }
}
