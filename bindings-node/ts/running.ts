/**
 * A guarded call that is not simply healthy, or that somebody else may end: runs the function, waits, and tells
 * the core what happened.
 *
 * Whatever is not the success of an admitted attempt is the core's to decide, through a native call that is
 * made when it is first needed.
 *
 * One timer ends the attempts of all calls of a guard; the call whose attempt it ended goes on in the
 * asynchronous context that it began in.
 *
 * INVARIANT: `attempt` is the attempt that is running; what any other one comes to is nobody's concern
 * any more. A call ends once: by `over`, which leaves nothing behind.
 */
import { AsyncResource } from 'node:async_hooks'
import { Attempt, type Call, type Context, type Maker } from './attempt.js'
import { OUTCOME } from './breaker.js'
import { heed, signalOf, type CallOptions, type Cancellable } from './callers.js'
import { isAsked } from './behalf.js'
import { attend } from './channels.js'
import type { Waiting } from './clock.js'
import { AttemptTimeout, DeadlineExceeded, note, quietly, refuse, rejected } from './errors.js'
import type { GuardCore } from './guard-core.js'
import { tell } from './hearing.js'
import { ENDINGS, SUCCESS } from './judge.js'
import { native } from './native.js'
import { only } from './options.js'
import type { AttemptSpan, Ending, Tracer } from './tracer.js'
import type { StopReason } from './words.js'
import { rejectSoon } from './wrap.js'

// The steps, as `bindings-node/src/call.rs` numbers them.
const CODES = 32
const TIMED_OUT = 16
const ATTEMPT = 0
const WAIT = 1
const DONE = 2
const EXCEEDED = 3
const STOPS = native.stopReasons() as StopReason[]
const FIRST_STOP = 4
const FIRST_REJECT = FIRST_STOP + STOPS.length

const NO_CALL = -1

const CALL_OPTIONS = ['signal', 'key']

/** The code of the error of an attempt that took too long, by the step that follows it. */
function cutBy(code: number): string {
  return code === EXCEEDED ? 'DEADLINE_EXCEEDED' : 'ATTEMPT_TIMEOUT'
}

// Nobody asks when one is destroyed.
const RESOURCE = { requireManualDestroy: true }

/** The context that runs now, for what goes on in it in the turn of another. */
export function scope(): AsyncResource {
  return new AsyncResource('overcurrent', RESOURCE)
}

export class Running<T> implements Call, Cancellable, Maker {
  readonly guard: GuardCore
  /** The attempt of an outer guard that makes this call. */
  outer: Attempt | undefined = undefined
  key: string | undefined = undefined
  private readonly fn: (context: Context) => T
  private readonly resolve: (value: Awaited<T>) => void
  private readonly reject: (reason: unknown) => void
  private started = 0
  private epoch = 0
  private handle = NO_CALL
  private attempts = 0
  private attempt: Attempt | undefined = undefined
  /** The span of that attempt, where a tracer is told of it. */
  private span: AttemptSpan | undefined = undefined
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

  /** Begins it, with what its caller gave or in an attempt of an outer guard. */
  start(options: CallOptions | undefined, outer: Attempt | undefined): void {
    let signal: AbortSignal | undefined
    if (options != null) {
      const { key } = options
      if (key !== undefined && typeof key !== 'string') refuse('key', key, 'must be a text')
      this.key = key
      signal = signalOf(options)
      // Somebody who gives something means something.
      if (signal === undefined && key === undefined) only('options', options, CALL_OPTIONS)
      if (signal?.aborted === true) return this.reject(signal.reason)
    }
    const { guard } = this
    const now = guard.time.now()
    const epoch = guard.enter()
    const { calls } = guard
    if (epoch < 0 && calls.closed !== undefined) return this.reject(calls.closed)
    if (signal !== undefined) {
      this.caller = heed(signal, this)
      if (isAsked()) this.scope = scope()
    }
    if (outer !== undefined) {
      this.outer = outer
      outer.inner = this
    }
    if (epoch < 0) return this.begin(now)
    calls.underway++
    this.started = now
    this.epoch = epoch
    this.run(guard.limit, now)
  }

  /** Begins it natively: it did not enter. */
  begin(now: number): void {
    const { guard } = this
    guard.calls.underway++
    this.started = now
    attend()
    const step = native.begin(guard.handle, now, guard.once)
    this.handle = Math.floor(step / CODES)
    this.follow(step - this.handle * CODES, now)
    tell()
  }

  /** Goes on with the call of an attempt that runs, the first one, which entered. */
  adopt(attempt: Attempt, epoch: number, started: number, scope: AsyncResource | undefined): void {
    this.started = started
    this.epoch = epoch
    this.attempts = 1
    this.attempt = attempt
    this.scope = scope
  }

  /** Makes an attempt that has `limit` ns. */
  private run(limit: number, now: number): void {
    const { guard } = this
    const attempt = new Attempt(this, ++this.attempts, now + limit)
    this.attempt = attempt
    guard.deadlines.add(attempt)
    if (limit !== Infinity) this.scope ??= scope()
    attempt.make(
      guard.tracer === undefined ? this.fn : this.spanned(guard.tracer),
      value => this.returned(attempt, value),
      error => this.raised(attempt, error),
    )
  }

  /** The function of the attempt that begins now, in a span. */
  private spanned(tracer: Tracer): (context: Context) => T {
    const span = (this.span = tracer.begin(this.guard.name, this.guard.breaker, this.attempts))
    return span === undefined ? this.fn : context => span.run(() => this.fn(context))
  }

  /** The span of the attempt is over, with what the core has made of it just now. */
  private traced(ending: Ending, result?: unknown): void {
    this.span?.end(ending, result)
    this.span = undefined
  }

  returned(attempt: Attempt, value: unknown): void {
    if (this.attempt !== attempt) return
    const { guard } = this
    const verdict = guard.trustsValues ? SUCCESS : guard.judge.value(value)
    if (this.attempt !== attempt) return
    const now = guard.time.now()
    if (verdict === SUCCESS && this.handle === NO_CALL && now < attempt.due) {
      const quick = guard.succeeded(this.epoch, this.started, now)
      this.over()
      this.resolve(value as Awaited<T>)
      if (!quick) tell()
    } else {
      this.settled(attempt, verdict, value, false, now)
    }
  }

  raised(attempt: Attempt, error: unknown): void {
    if (this.attempt !== attempt) return
    const verdict = this.guard.judge.error(error)
    // The user's function may have aborted the call.
    if (this.attempt === attempt) this.settled(attempt, verdict, error, true, this.guard.time.now())
  }

  private settled(attempt: Attempt, verdict: number, result: unknown, threw: boolean, now: number): void {
    attend(this.span)
    const code = native.settled(this.adopted(), verdict, this.guard.judge.hint, now)
    this.leave(attempt)
    if (code >= TIMED_OUT || code === EXCEEDED) this.traced('timeout', { code: cutBy(code) })
    else this.traced(ENDINGS[verdict]!, result)
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
    attend(this.span)
    const code = native.cut(this.adopted(), now)
    this.leave(attempt)
    this.traced('timeout', { code: cutBy(code) })
    this.follow(code, now, attempt)
    tell()
  }

  /** The caller gave up, or the guard was disposed of. */
  cancel(reason: unknown): void {
    if (this.scope === undefined) this.cancelHere(reason)
    else this.scope.runInAsyncScope(this.cancelHere, this, reason)
  }

  private cancelHere(reason: unknown): void {
    // What a cancelled call set off may have ended this one.
    if (this.attempt === undefined && this.waiting === undefined) return
    const now = this.guard.time.now()
    const attempt = this.attempt
    attend(this.span)
    if (this.handle === NO_CALL) this.guard.record(this.epoch, OUTCOME.cancelled, this.started, now)
    else native.cancelled(this.handle, now)
    this.handle = NO_CALL
    this.traced('cancelled')
    if (this.waiting !== undefined) {
      this.waiting.cancel()
      this.waited()
    }
    this.over()
    this.reject(reason)
    attempt?.abort(reason)
    tell()
  }

  /** Itself. */
  call(): this {
    return this
  }

  /** The native call; made now, if the call was healthy so far. */
  private adopted(): number {
    if (this.handle === NO_CALL) this.handle = this.guard.adopted(this.epoch, this.started)
    return this.handle
  }

  /**
   * Does the next step. `ended` is the attempt that has just come to its end; if it was cut, its
   * function is told, last of all, as that may run anything.
   */
  private follow(code: number, now: number, ended?: Attempt): void {
    if (code < TIMED_OUT) return this.step(code, now, ended)
    const error = quietly(() => new AttemptTimeout(native.callAttemptTimeout(this.handle)))
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
      case EXCEEDED: {
        const exceeded = native.callDeadlineExceeded(this.handle)
        const cause = this.threw ? { cause: this.last } : undefined
        const error = quietly(() => new DeadlineExceeded(exceeded, cause))
        this.account(error, undefined, now)
        this.fail(error)
        return ended?.abort(error)
      }
      default:
        if (code < FIRST_REJECT) return this.handOver(STOPS[code - FIRST_STOP], now)
        this.over()
        return rejectSoon(this.reject, rejected(this.guard.breakerName, code - FIRST_REJECT))
    }
  }

  private wait(nanos: number): void {
    const { guard } = this
    guard.rules?.discard()
    guard.calls.waiting.add(this)
    // Fake timers keep no context.
    const here = (this.scope ??= scope())
    const resume = () => void here.runInAsyncScope(this.resume, this)
    this.waiting = guard.time.wait(nanos, this.handle, guard.ref, resume)
  }

  private resume(): void {
    this.waited()
    const now = this.guard.time.now()
    attend()
    this.follow(native.next(this.handle, now), now)
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
    if (this.handle !== NO_CALL) native.release(this.handle)
    this.caller?.delete(this)
    if (this.outer !== undefined) this.outer.inner = undefined
    this.guard.calls.ended()
  }
}
