/**
 * One request of an HTTP client and its attempts: how they are judged, and what becomes of their responses. What an
 * answer means is the core's to say.
 *
 * INVARIANT: a response that its caller does not get is closed: before the wait that follows it, or when it comes
 * too late.
 */
import { refuse } from '../errors.js'
import { under, type Guard } from '../guard.js'
import { IGNORED, type Result, type Rules } from '../judge.js'
import { native, type HttpRequest, type Meaning } from '../native.js'
import type { Context } from '../attempt.js'
import type { CallOptions } from '../callers.js'
import { run } from '../run.js'
import { Bond } from './bond.js'
import type { GuardsOptions } from './guards.js'

/** What the adapters of HTTP clients can be given. */
export type HttpOptions = GuardsOptions & {
  /**
   * Whether a request without the header `Idempotency-Key`, or the one that is named, is sent with one: the same on
   * every attempt, another for each call. `false` by default.
   */
  readonly idempotencyKey?: boolean | string | undefined
}

/** The names of the options that are not the guards'. */
export const HTTP_OPTIONS = ['idempotencyKey']

/** By which header servers know a request again, and whether each is sent with it. */
export class Keys {
  readonly header: string
  readonly #sends: boolean

  constructor({ idempotencyKey = false }: HttpOptions) {
    if (typeof idempotencyKey !== 'boolean' && typeof idempotencyKey !== 'string')
      refuse('idempotencyKey', idempotencyKey, 'must be true, false or the name of a header')
    if (idempotencyKey === '') refuse('idempotencyKey', '', 'must be true, false or the name of a header')
    this.header = typeof idempotencyKey === 'string' ? idempotencyKey : native.httpIdempotencyKey()
    this.#sends = idempotencyKey !== false
  }

  /** Whether a request is sent with a key; `has` is whether it has one. */
  known(has: boolean): boolean {
    return has || this.#sends
  }

  /** Whether it gets one. */
  adds(has: boolean): boolean {
    return this.#sends && !has
  }
}

/** What an attempt came to: the status and the Retry-After header of an answer, none, or what is no server's fault. */
export type Told = { readonly status: number; readonly retryAfter: string | undefined } | 'no answer' | 'own fault'

/** An exchange of requests for responses of a client's kind `R`. */
export abstract class Exchange<R> implements Rules {
  readonly repeatable: boolean
  #response: R | undefined = undefined
  /** The error that the response came with, if it came with one. */
  #error: unknown = undefined
  #bond: Bond | undefined = undefined

  constructor(private readonly request: HttpRequest) {
    this.repeatable = native.httpRepeatable(request)
  }

  /** What a result says. */
  protected abstract told(result: Result): Told

  /** Closes a response that nobody will see. */
  protected abstract close(response: R): void

  meaning(result: Result): Meaning {
    const told = this.told(result)
    if (told === 'own fault') return { verdict: IGNORED }
    if (told === 'no answer') return native.httpFailed(this.request)
    return native.httpAnswered(this.request, told.status, told.retryAfter, Date.now())
  }

  discard(): void {
    const response = this.#response
    this.#response = undefined
    this.#bond?.end()
    if (response !== undefined) this.close(response)
  }

  /** A signal that aborts with an attempt, and with the caller's, as long as the body is read too. */
  protected signal({ signal }: Context, caller: AbortSignal | null | undefined): AbortSignal {
    this.#bond?.end()
    this.#bond = caller == null ? undefined : new Bond(signal, caller)
    return this.#bond?.signal ?? signal
  }

  /**
   * Notes the response of an attempt, which has a body and may have come with an error. Closes it where nobody waits
   * for it.
   */
  protected keep({ signal }: Context, response: R, body: unknown, error?: unknown): void {
    if (signal.aborted) return this.close(response)
    this.#response = response
    this.#error = error
    this.#bond?.follow(body)
  }

  /** Makes the attempts, by `send`, which keeps their responses. */
  async call<T>(guard: Guard, send: (context: Context) => Promise<T>, options?: CallOptions): Promise<T> {
    try {
      return (await run(under(guard, this), send, options)) as T
    } catch (error) {
      if (this.#error === undefined || error !== this.#error) this.discard()
      throw error
    }
  }
}
