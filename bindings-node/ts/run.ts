/**
 * One guarded call: runs the function, waits, and tells the core what happened.
 *
 * A healthy call is decided here: it enters while the breaker is closed, and its success is counted in
 * place. Whatever else happens is the core's to decide, through a native call that is made when it is
 * first needed.
 *
 * One timer ends the attempts of all calls of a guard; the call whose attempt it ended goes on in the
 * asynchronous context that it began in.
 *
 * INVARIANT: `attempt` is the attempt that is running; what any other one comes to is nobody's concern
 * any more. A call ends once: by `over`, which leaves nothing behind.
 */
import { AsyncResource } from 'node:async_hooks'
import { OUTCOME } from './breaker.js'
import { heed, signalOf, type Cancellable } from './callers.js'
import { attend } from './channels.js'
import type { Waiting } from './clock.js'
import type { Deadlines, Due } from './deadlines.js'
import { AttemptTimeout, BreakerOpen, DeadlineExceeded, note, quietly, refuse } from './errors.js'
import type { GuardCore } from './guard-core.js'
import { tell } from './hearing.js'
import { SUCCESS } from './judge.js'
import { native } from './native.js'
import type { StopReason } from './words.js'
import { callable } from './wrap.js'

/** What the function is told about the attempt it makes. */
export interface Context {
  /** Which attempt it is, from 1. */
  readonly attempt: number
  /** Aborts when the attempt is cut or the caller gives up; `reason` says which. Made when it is first read. */
  readonly signal: AbortSignal
  /** Milliseconds left for this attempt; `undefined` where nothing bounds it. */
  readonly remaining: number | undefined
  /** A key for the dependency to recognise the call by: the same on every attempt, different for every call. */
  readonly idempotencyKey: string
}

/** What one call can be given. */
export interface CallOptions {
  /** Ends the call at once when it aborts, with its reason. */
  readonly signal?: AbortSignal | undefined
  /** The idempotency key; a new one by default. */
  readonly key?: string | undefined
}

// The steps, as `bindings-node/src/call.rs` numbers them.
const CODES = 32
const TIMED_OUT = 16
const ATTEMPT = 0
const WAIT = 1
const DONE = 2
const REJECT = 3
const EXCEEDED = 4
const STOPS = native.stopReasons() as StopReason[]
const FIRST_STOP = 5

const NO_CALL = -1

/** One attempt of a call, and what its function is told of it. */
export class Attempt implements Context, Due {
  /** The call of an inner guard that this attempt makes. */
  inner: Run<unknown> | undefined = undefined
  place = 0
  queue: Deadlines | undefined = undefined
  before: Due | undefined = undefined
  after: Due | undefined = undefined
  readonly #run: Run<unknown>
  #controller: AbortController | undefined = undefined
  #over = false
  #reason: unknown = undefined

  constructor(
    run: Run<unknown>,
    readonly attempt: number,
    readonly due: number,
  ) {
    this.#run = run
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#over) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get remaining(): number | undefined {
    const outer = this.#run.outer?.remaining
    if (this.due === Infinity) return outer
    return Math.min(Math.max(this.due - this.#run.guard.time.now(), 0) / 1e6, outer ?? Infinity)
  }

  get idempotencyKey(): string {
    const run = this.#run
    return (run.key ??= run.outer === undefined ? native.newIdempotencyKey() : run.outer.idempotencyKey)
  }

  get owner(): unknown {
    return this.#run.guard.calls
  }

  expire(): void {
    this.#run.cut(this)
  }

  cancel(reason: unknown): void {
    this.#run.cancel(reason)
  }

  /** Tells the function, now or when it looks. */
  abort(reason: unknown): void {
    this.#over = true
    this.#reason = reason
    this.inner?.cancel(reason)
    this.#controller?.abort(reason)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { attempt: this.attempt, remaining: this.remaining }
  }
}

// Nobody asks when one is destroyed.
const RESOURCE = { requireManualDestroy: true }

class Run<T> implements Cancellable {
  readonly guard: GuardCore
  /** The attempt of an outer guard that makes this call. */
  outer: Attempt | undefined = undefined
  key: string | undefined = undefined
  private readonly fn: (context: Context) => T
  private readonly resolve: (value: Awaited<T>) => void
  private readonly reject: (reason: unknown) => void
  private started = 0
  private epoch = 0
  private call = NO_CALL
  private attempts = 0
  private attempt: Attempt | undefined = undefined
  private waiting: Waiting | undefined = undefined
  /** The context that it began in, where it may go on in the turn of another. */
  private scope: AsyncResource | undefined = undefined
  private caller: ReturnType<typeof heed> | undefined = undefined
  /** What the last attempt came to, and whether it threw. */
  private last: unknown = undefined
  private threw = false

  constructor(
    guard: GuardCore,
    fn: (context: Context) => T,
    resolve: (value: Awaited<T>) => void,
    reject: (reason: unknown) => void,
  ) {
    this.guard = guard
    this.fn = fn
    this.resolve = resolve
    this.reject = reject
  }

  start(options: CallOptions | undefined, outer: Attempt | undefined): void {
    let signal: AbortSignal | undefined
    if (options !== undefined) {
      const { key } = options
      if (key !== undefined && typeof key !== 'string') refuse('key', key, 'must be a text')
      this.key = key
      signal = signalOf(options)
      if (signal?.aborted === true) return this.reject(signal.reason)
    }
    const { guard } = this
    const now = (this.started = guard.time.now())
    const epoch = guard.enter()
    const { calls } = guard
    if (epoch < 0 && calls.closed !== undefined) return this.reject(calls.closed)
    calls.underway++
    if (signal !== undefined) this.caller = heed(signal, this)
    if (outer !== undefined) {
      this.outer = outer
      outer.inner = this as Run<unknown>
    }
    if (epoch < 0) {
      attend()
      const step = native.begin(guard.handle, now, guard.once)
      this.call = Math.floor(step / CODES)
      this.follow(step % CODES, now)
      tell()
    } else {
      this.epoch = epoch
      this.run(guard.limit, now)
    }
  }

  /** Makes an attempt that has `limit` ns. */
  private run(limit: number, now: number): void {
    const attempt = new Attempt(this as Run<unknown>, ++this.attempts, now + limit)
    this.attempt = attempt
    this.guard.deadlines.add(attempt)
    if (limit !== Infinity) this.scope ??= new AsyncResource('overcurrent', RESOURCE)
    let value: unknown
    let promised: boolean
    try {
      value = this.fn(attempt)
      // Reading `then` may throw too.
      promised = value instanceof Promise || isThenable(value)
    } catch (error) {
      return this.raised(attempt, error)
    }
    if (!promised) return this.returned(attempt, value)
    void (value instanceof Promise ? value : Promise.resolve(value)).then(
      value => this.returned(attempt, value),
      (error: unknown) => this.raised(attempt, error),
    )
  }

  private returned(attempt: Attempt, value: unknown): void {
    if (this.attempt !== attempt) return
    const { guard } = this
    const verdict = guard.trustsValues ? SUCCESS : guard.judge.value(value)
    if (this.attempt !== attempt) return
    const now = guard.time.now()
    if (verdict === SUCCESS && this.call === NO_CALL && now < attempt.due) {
      const quick = guard.succeeded(this.epoch, this.started, now)
      this.over()
      this.resolve(value as Awaited<T>)
      if (!quick) tell()
    } else {
      this.settled(attempt, verdict, value, false, now)
    }
  }

  private raised(attempt: Attempt, error: unknown): void {
    if (this.attempt !== attempt) return
    const verdict = this.guard.judge.error(error)
    // The user's function may have aborted the call.
    if (this.attempt === attempt) this.settled(attempt, verdict, error, true, this.guard.time.now())
  }

  private settled(attempt: Attempt, verdict: number, result: unknown, threw: boolean, now: number): void {
    attend()
    const code = native.settled(this.adopted(), verdict, this.guard.judge.hint, now)
    this.leave(attempt)
    if (code < TIMED_OUT && code !== EXCEEDED) {
      this.last = result
      this.threw = threw
    }
    this.follow(code, now, attempt)
    tell()
  }

  /** The attempt's time was up. */
  cut(attempt: Attempt): void {
    if (this.attempt === attempt) this.scope?.runInAsyncScope(this.cutHere, this, attempt)
  }

  private cutHere(attempt: Attempt): void {
    const now = this.guard.time.now()
    attend()
    const code = native.cut(this.adopted(), now)
    this.leave(attempt)
    this.follow(code, now, attempt)
    tell()
  }

  /** The caller gave up, or the guard was disposed of. */
  cancel(reason: unknown): void {
    // What a cancelled call set off may have ended this one.
    if (this.attempt === undefined && this.waiting === undefined) return
    const now = this.guard.time.now()
    const attempt = this.attempt
    attend()
    if (this.call === NO_CALL) this.guard.record(this.epoch, OUTCOME.cancelled, this.started, now)
    else native.cancelled(this.call, now)
    this.call = NO_CALL
    if (this.waiting !== undefined) {
      this.waiting.cancel()
      this.waited()
    }
    this.over()
    this.reject(reason)
    attempt?.abort(reason)
    tell()
  }

  /** The native call; made now, if the call was healthy so far. */
  private adopted(): number {
    const { guard } = this
    if (this.call === NO_CALL) this.call = native.adopt(guard.handle, this.epoch, this.started, guard.once)
    return this.call
  }

  /**
   * Does the next step. `ended` is the attempt that has just come to its end; if it was cut, its
   * function is told, last of all, as that may run anything.
   */
  private follow(code: number, now: number, ended?: Attempt): void {
    if (code < TIMED_OUT) return this.step(code, now, ended)
    const error = quietly(() => new AttemptTimeout(native.callAttemptTimeout(this.call)))
    this.last = error
    this.threw = true
    this.step(code - TIMED_OUT, now)
    ended?.abort(error)
  }

  private step(code: number, now: number, ended?: Attempt): void {
    switch (code) {
      case ATTEMPT:
        return this.run(native.payload(), now)
      case WAIT:
        return this.wait(native.payload())
      case DONE:
        return this.handOver(undefined, now)
      case REJECT: {
        const refusal = native.callRefusal(this.call)
        return this.fail(quietly(() => new BreakerOpen(refusal)))
      }
      case EXCEEDED: {
        const message = native.callDeadlineExceeded(this.call)
        const cause = this.threw ? { cause: this.last } : undefined
        const error = quietly(() => new DeadlineExceeded(message, cause))
        this.account(error, undefined, now)
        this.fail(error)
        return ended?.abort(error)
      }
      default:
        return this.handOver(STOPS[code - FIRST_STOP], now)
    }
  }

  private wait(nanos: number): void {
    const { guard } = this
    guard.rules?.discard()
    guard.calls.waiting.add(this)
    // Fake timers keep no context.
    const scope = (this.scope ??= new AsyncResource('overcurrent', RESOURCE))
    const resume = () => void scope.runInAsyncScope(this.resume, this)
    this.waiting = guard.time.wait(nanos, this.call, guard.ref, resume)
  }

  private resume(): void {
    this.waited()
    const now = this.guard.time.now()
    attend()
    this.follow(native.next(this.call, now), now)
    tell()
  }

  /** The call does not wait any more. */
  private waited(): void {
    this.waiting = undefined
    this.guard.calls.waiting.delete(this)
  }

  /** Ends the call with what the last attempt came to. */
  private handOver(stop: StopReason | undefined, now: number): void {
    if (!this.threw) {
      this.over()
      return this.resolve(this.last as Awaited<T>)
    }
    this.account(this.last, stop, now)
    this.fail(this.last)
  }

  private account(error: unknown, stop: StopReason | undefined, now: number): void {
    note(error, { attempts: this.attempts, elapsedMs: (now - this.started) / 1e6, stop })
  }

  private fail(error: unknown): void {
    this.over()
    this.reject(error)
  }

  /** The attempt does not run any more. */
  private leave(attempt: Attempt): void {
    attempt.queue?.delete(attempt)
    this.attempt = undefined
  }

  /** The call has ended. */
  private over(): void {
    if (this.attempt !== undefined) this.leave(this.attempt)
    if (this.call !== NO_CALL) native.release(this.call)
    this.caller?.delete(this)
    if (this.outer !== undefined) this.outer.inner = undefined
    this.guard.calls.ended()
  }
}

/** Calls `fn` under a guard, in an attempt of an `outer` one if there is such. */
export function run<T>(
  guard: GuardCore,
  fn: (context: Context) => T,
  options: CallOptions | undefined,
  outer?: Attempt,
): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => {
    callable(fn)
    new Run(guard, fn, resolve, reject).start(options, outer)
  })
}

/** Whether it can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
