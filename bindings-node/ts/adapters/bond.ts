/**
 * The signal of an attempt that stays with its response: the caller may give up while the body is read, when the
 * call is over.
 *
 * INVARIANT: a caller's signal has one listener, and it knows a bond no longer than somebody holds the body.
 * (`AbortSignal.any` leaves something behind on a signal that lives long, in Node 20.)
 */
import { heed, type Cancellable } from '../callers.js'

const bodies = new FinalizationRegistry<Bond>(bond => bond.end())

export class Bond implements Cancellable {
  readonly #controller = new AbortController()
  readonly #caller: ReturnType<typeof heed>

  constructor(attempt: AbortSignal, caller: AbortSignal) {
    this.#caller = heed(caller, this)
    attempt.addEventListener('abort', () => this.cancel(attempt.reason))
    if (caller.aborted) this.cancel(caller.reason)
  }

  /** Aborts with the attempt, and with the caller. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  cancel(reason: unknown): void {
    this.end()
    this.#controller.abort(reason)
  }

  /** Ends with a body, or now where there is none. */
  follow(body: unknown): void {
    if (typeof body === 'object' && body !== null) bodies.register(body, this)
    else this.end()
  }

  /** The caller has no say any more. */
  end(): void {
    this.#caller.delete(this)
  }
}
