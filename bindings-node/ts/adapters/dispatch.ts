/**
 * One request of undici's and its attempts, each a dispatch of its own.
 *
 * The response of an attempt is paused at its head, until the guard has decided what becomes of it.
 *
 * INVARIANT: the handler of the request hears of one attempt's response, the last one's.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Result } from '../judge.js'
import type { Context } from '../attempt.js'
import { Exchange, type Told } from './exchange.js'

type Controller = Dispatcher.DispatchController
type Raw = Exclude<Controller['rawHeaders'], undefined>
type Handler = Dispatcher.DispatchHandler

/** Codes of errors that say that the request could not be sent at all. */
const OWN = new Set([
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

/** What the handler of a request holds while it goes on, whichever attempt makes it. */
export class Course implements Controller {
  readonly #caller = new AbortController()
  #attempt: Controller | undefined = undefined
  #paused = false

  /** Aborts when the handler gives up. */
  get signal(): AbortSignal {
    return this.#caller.signal
  }

  get aborted(): boolean {
    return this.signal.aborted
  }

  get reason(): Error | null {
    return this.aborted ? (this.signal.reason as Error) : null
  }

  get paused(): boolean {
    return this.#paused
  }

  get rawHeaders(): Raw {
    return this.#attempt?.rawHeaders ?? null
  }

  get rawTrailers(): Raw {
    return this.#attempt?.rawTrailers ?? null
  }

  abort(reason: Error): void {
    this.#caller.abort(reason)
    this.#attempt?.abort(reason)
  }

  pause(): void {
    this.#paused = true
    this.#attempt?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#attempt?.resume()
  }

  /** From now on the response of this attempt is the request's. */
  take(attempt: Controller): void {
    this.#attempt = attempt
  }
}

/** One dispatch, and its response once the head is there. */
export class Attempt implements Handler {
  status = 0
  headers: IncomingHttpHeaders = {}
  #message: string | undefined = undefined
  #controller: Controller | undefined = undefined
  #responded = false
  /** What came of the response before somebody wanted it. */
  #early: (() => void)[] = []
  #isWanted = false
  #isClosed = false

  constructor(
    readonly course: Course,
    readonly handler: Handler,
    readonly signal: AbortSignal,
    readonly resolve: (attempt: Attempt) => void,
    readonly reject: (error: Error) => void,
  ) {}

  onRequestStart(controller: Controller): void {
    this.#controller = controller
    const abort = () => controller.abort(this.signal.reason as Error)
    if (this.signal.aborted) abort()
    else this.signal.addEventListener('abort', abort, { once: true })
  }

  onResponseStart(controller: Controller, status: number, headers: IncomingHttpHeaders, message?: string): void {
    if (status < 200) return this.handler.onResponseStart?.(this.course, status, headers, message)
    this.status = status
    this.headers = headers
    this.#message = message
    this.#responded = true
    controller.pause()
    this.resolve(this)
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#then(() => this.handler.onResponseData?.(this.course, chunk))
  }

  onResponseEnd(_controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#then(() => this.handler.onResponseEnd?.(this.course, trailers))
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (!this.#responded) return this.reject(error)
    this.#then(() => this.handler.onResponseError?.(this.course, error))
  }

  /** Hands the response over. A handler that throws has the request fail, as undici itself has it. */
  release(): void {
    const { course, handler } = this
    const controller = this.#controller!
    course.take(controller)
    this.#isWanted = true
    try {
      handler.onResponseStart?.(course, this.status, this.headers, this.#message)
      for (const tell of this.#early.splice(0)) tell()
    } catch (error) {
      this.#isClosed = true
      controller.abort(error as Error)
      handler.onResponseError?.(course, error as Error)
      return
    }
    if (!course.paused) controller.resume()
  }

  /** Ends a response that nobody will see. */
  close(): void {
    this.#isClosed = true
    this.#controller!.abort(new DOMException('another attempt follows', 'AbortError'))
  }

  #then(tell: () => void): void {
    if (this.#isClosed) return
    if (this.#isWanted) tell()
    else this.#early.push(tell)
  }
}

export class UndiciExchange extends Exchange<Attempt> {
  /** Makes an attempt, by `dispatch`, for the handler of the request. */
  async send(
    context: Context,
    course: Course,
    handler: Handler,
    dispatch: (handler: Handler) => unknown,
  ): Promise<Attempt> {
    const attempt = await new Promise<Attempt>((resolve, reject) => {
      dispatch(new Attempt(course, handler, context.signal, resolve, reject))
    })
    this.keep(context, attempt, undefined)
    return attempt
  }

  protected told({ value, error }: Result): Told {
    if (value instanceof Attempt) {
      const { 'retry-after': retryAfter } = value.headers
      return { status: value.status, retryAfter }
    }
    const { code } = (error ?? {}) as { readonly code?: string }
    return code === undefined || OWN.has(code) ? 'own fault' : 'no answer'
  }

  protected close(attempt: Attempt): void {
    attempt.close()
  }
}
