/**
 * One attempt of a guarded call, and what its function is told of it.
 *
 * INVARIANT: what most functions never ask for is made when it is first asked for: the signal, the key, and
 * the call itself, as long as nothing is wrong with it.
 */
import type { Deadlines, Due } from './deadlines.js'
import type { GuardCore } from './guard-core.js'
import { INSPECT } from './inspect.js'
import { native } from './native.js'
import { isThenable, promised } from './wrap.js'

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

/** A call, as far as its attempts know it. */
export interface Call {
  /** The attempt of an outer guard that makes this call. */
  readonly outer: Attempt | undefined
  /** The idempotency key, once somebody has asked for it. */
  key: string | undefined
  /** The attempt's time was up. */
  cut(attempt: Attempt): void
  /** The caller gave up. */
  cancel(reason: unknown): void
}

/** Who makes an attempt: a call, or what stands for one while nothing is wrong. */
export interface Maker {
  readonly guard: GuardCore
  /** The call; made now, where there was none so far. */
  call(): Call
}

export class Attempt implements Context, Due {
  /** The call of an inner guard that this attempt makes. */
  inner: Call | undefined = undefined
  place = 0
  queue: Deadlines | undefined = undefined
  before: Due | undefined = undefined
  after: Due | undefined = undefined
  private controller: AbortController | undefined = undefined
  /** Why its function was told to end. */
  private ended: { readonly reason: unknown } | undefined = undefined

  constructor(
    private readonly maker: Maker,
    readonly attempt: number,
    readonly due: number,
  ) {}

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.ended !== undefined) this.controller.abort(this.ended.reason)
    }
    return this.controller.signal
  }

  get remaining(): number | undefined {
    const outer = this.maker.call().outer?.remaining
    if (this.due === Infinity) return outer
    return Math.min(Math.max(this.due - this.maker.guard.time.now(), 0) / 1e6, outer ?? Infinity)
  }

  get idempotencyKey(): string {
    const call = this.maker.call()
    return (call.key ??= call.outer === undefined ? native.newIdempotencyKey() : call.outer.idempotencyKey)
  }

  get owner(): unknown {
    return this.maker.guard.calls
  }

  expire(): void {
    this.maker.call().cut(this)
  }

  cancel(reason: unknown): void {
    this.maker.call().cancel(reason)
  }

  /** Tells the function, now or when it looks. */
  abort(reason: unknown): void {
    this.ended = { reason }
    this.inner?.cancel(reason)
    this.controller?.abort(reason)
  }

  /** Makes it: says what `fn` returned, now or once its promise has settled, or what it threw. */
  make(
    fn: (context: Context) => unknown,
    returned: (value: unknown) => void,
    raised: (error: unknown) => void,
  ): void {
    let value: unknown
    let promise: Promise<unknown> | undefined
    try {
      value = fn(this)
      // Reading `then` may throw too.
      promise = value instanceof Promise ? promised(value) : adopted(value)
    } catch (error) {
      return raised(error)
    }
    if (promise === undefined) returned(value)
    else void promise.then(returned, raised)
  }

  /** @internal */
  [INSPECT](): object {
    return this.toJSON()
  }

  /** What of it may be logged. */
  toJSON(): object {
    return { attempt: this.attempt, remaining: this.remaining }
  }
}

/** The promise of what can be awaited, if it can. */
function adopted(value: unknown): Promise<unknown> | undefined {
  return isThenable(value) ? Promise.resolve(value) : undefined
}
