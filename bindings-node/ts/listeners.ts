/**
 * The listeners of one guard or one breaker.
 */
import { EventEmitter } from 'node:events'
import { refuse } from './errors.js'
import type { Event } from './event.js'
import { heard, listen, unlisten, type Hearer, type Listener } from './hearing.js'
import { Reporter } from './report.js'

/** Ends what nobody can hear any more. */
const lost = new FinalizationRegistry<number>(unlisten)

export class Listeners implements Hearer {
  readonly #emitter = new EventEmitter()
  readonly #reporter = new Reporter('OVERCURRENT_LISTENER')
  #number: number | undefined = undefined

  /** Those of the native object of a handle, which tells of events of some names. */
  constructor(
    readonly source: number,
    readonly names: readonly string[],
  ) {}

  add(name: string, listener: Listener, once: boolean): void {
    if (!this.names.includes(name)) refuse('event', name, `must be one of ${this.names.join(', ')}`)
    if (typeof listener !== 'function') refuse('listener', listener, 'must be a function')
    const { source } = this
    // Nothing here keeps alive who is listened to.
    if (this.#number === undefined) {
      this.#number = listen(source, new WeakRef(this))
      lost.register(this, this.#number, this)
    }
    const add = once ? 'once' : 'on'
    this.#emitter[add](name, listener as (event: Event) => unknown)
  }

  delete(name: string, listener: Listener): void {
    this.#emitter.off(name, listener as (event: Event) => unknown)
    this.#rest()
  }

  hear(event: Event): void {
    for (const listener of this.#emitter.rawListeners(event.name))
      heard(listener as Listener, event, this.#reporter)
    this.#rest()
  }

  /** Listens no more if nobody wants to hear. */
  #rest(): void {
    if (this.#number === undefined || this.#emitter.eventNames().length > 0) return
    lost.unregister(this)
    unlisten(this.#number)
    this.#number = undefined
  }
}
