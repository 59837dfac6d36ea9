/**
 * Callers that may give up: one listener per signal, however many calls it is given to.
 *
 * INVARIANT: a signal is listened to while a call with it is under way, and at no other time.
 */
import { refuse } from './errors.js'

/** What one call can be given. */
export interface CallOptions {
  /** Ends the call at once when it aborts, with its reason. */
  readonly signal?: AbortSignal | undefined
  /** The idempotency key; a new one by default. */
  readonly key?: string | undefined
}

/** What ends when its caller gives up. */
export interface Cancellable {
  cancel(reason: unknown): void
}

/** The calls under way that were given one signal. */
class Listener {
  /** One of them, as most signals are for one call, and the others. */
  #call: Cancellable | undefined = undefined
  readonly #others = new Set<Cancellable>()

  constructor(readonly signal: AbortSignal) {}

  add(call: Cancellable): void {
    if (this.#call !== undefined) this.#others.add(call)
    else {
      this.#call = call
      // Which does nothing where it listens already.
      this.signal.addEventListener('abort', this)
    }
  }

  delete(call: Cancellable): void {
    if (this.#call === call) this.#call = undefined
    else if (!this.#others.delete(call)) return
    if (this.#call === undefined && this.#others.size === 0) this.signal.removeEventListener('abort', this)
  }

  handleEvent(): void {
    const { reason } = this.signal as { readonly reason: unknown }
    const calls = [...this.#others]
    this.#call?.cancel(reason)
    for (const call of calls) call.cancel(reason)
  }
}

/** The signal a call was given, if any. */
export function signalOf({ signal }: { readonly signal?: AbortSignal | null | undefined }): AbortSignal | undefined {
  if (signal == null) return undefined
  // It may come from another realm.
  const listens = typeof signal.addEventListener === 'function' && typeof signal.removeEventListener === 'function'
  return listens ? signal : refuse('signal', signal, 'must be an `AbortSignal`')
}

const listeners = new WeakMap<AbortSignal, Listener>()

/** Ends `call` when `signal` aborts. What comes back is told when the call ends by itself. */
export function heed(signal: AbortSignal, call: Cancellable): Pick<Listener, 'delete'> {
  let listener = listeners.get(signal)
  if (listener === undefined) {
    listener = new Listener(signal)
    listeners.set(signal, listener)
  }
  listener.add(call)
  return listener
}
