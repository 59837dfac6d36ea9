/**
 * A retry alone: a policy, its random stream and its budget.
 */
import { Budget, BudgetCore, budgetOf } from './budget.js'
import { told } from './channels.js'
import type { Time } from './clock.js'
import { accepted, note } from './errors.js'
import { INSPECT, shownAs } from './inspect.js'
import { ENDINGS, FINAL, Judge, RETRYABLE, type JudgeOptions, type Result } from './judge.js'
import { native, own } from './native.js'
import { TIMED, kept, live, replaced, without, type LiveOptions, type TimerOptions } from './options.js'
import type { Backoff, BudgetPolicy, Duration, Jitter } from './policy.js'
import { disabled, instant, on } from './switch.js'
import { tracer, type AttemptSpan, type Tracer } from './tracer.js'
import type { StopReason } from './words.js'
import { cameTo, promised, uncallable, wrapped } from './wrap.js'

/** How to retry. */
export interface RetryPolicy {
  /** Attempts in all, the first one counted; 3 by default. */
  readonly maxAttempts?: number | undefined
  /** How the waits grow; exponential from 100 ms to 5 s by default. */
  readonly backoff?: Backoff | undefined
  /** How each wait is drawn around its base; `'full'` by default. */
  readonly jitter?: Jitter | undefined
  /** The longest server hint (Retry-After) that is waited for; 60 s by default. */
  readonly maxHint?: Duration | undefined
  /** Caps the retries of all calls together; in a guard on by default, else off. */
  readonly budget?: BudgetPolicy | Budget | boolean | undefined
}

export type RetryOptions = RetryPolicy & JudgeOptions & LiveOptions & TimerOptions

/** What follows a failed attempt: a wait, in milliseconds and exactly in nanoseconds, or the end. */
export type Decision =
  | { readonly wait: number; readonly waitNs: bigint; readonly stop?: never }
  | { readonly stop: StopReason; readonly wait?: never; readonly waitNs?: never }

/** A failed attempt, as far as the decision needs to know it. */
export interface Failure {
  /** Whether trying again can cure it; `true` by default. */
  readonly retryable?: boolean | undefined
  /** How long the server asked to wait (Retry-After). */
  readonly hint?: Duration | null | undefined
}

/** Decides what follows an attempt with a span, which `ended` ends. */
let decide: (call: RetryCall, failure: Failure, span: AttemptSpan | undefined, ended: () => void) => Decision

/** The retries of one call. */
export class RetryCall {
  readonly #handle: number
  readonly #time: Time
  /** Whether it goes straight through: it ends with its first failure, and nobody hears of that. */
  readonly #through: boolean

  static {
    decide = (call, failure, span, ended) => call.#decide(failure, span, ended)
  }

  /** @internal */
  constructor(handle: number, time: Time, through: boolean) {
    this.#handle = own(this, handle)
    this.#time = time
    this.#through = through
  }

  /** Decides what follows an attempt that failed now. The caller does the waiting. */
  failed(failure: Failure = {}): Decision {
    return this.#decide(failure)
  }

  #decide({ retryable = true, hint }: Failure, span?: AttemptSpan, ended?: () => void): Decision {
    if (this.#through) return { stop: 'attempts_exhausted' }
    const now = this.#time.now()
    const decision = told(() => accepted(native.retryFailed(this.#handle, retryable, hint, now)), span, ended)
    return typeof decision === 'string' ? { stop: decision as StopReason } : decision
  }
}

type Fn<T> = (context: { readonly attempt: number }) => T

/** A retry, for a guard: its policy, its budget and what its results mean. */
interface Parts {
  readonly policy: unknown
  readonly budget: Budget | undefined
  readonly judge?: Judge | undefined
}

/** The retry of every call that goes straight through: no error is a failure to it. */
let through: Retry | undefined

export let partsOf: (retry: Retry) => Parts

/** The policy of a retry, and what stood in it alive. */
export function taken(options: unknown): Parts {
  if (options instanceof Retry) return partsOf(options)
  const budget = typeof options === 'object' && options !== null && 'budget' in options ? options.budget : undefined
  if (!(budget instanceof Budget)) return { policy: options, budget: undefined }
  return { policy: replaced(options, 'budget', false), budget }
}

/** Decides whether and when to try again. */
export class Retry {
  readonly #handle: number
  readonly #time: Time
  readonly #policy: unknown
  readonly #budget: Budget | undefined
  readonly #judge: Judge
  readonly #ref: boolean

  static {
    partsOf = retry => ({ policy: retry.#policy, budget: retry.#budget, judge: retry.#judge })
  }

  /**
   * A retry. Without a budget, unless one is given.
   * @throws InvalidPolicy naming the option, the value and the rule it breaks
   */
  constructor(options: RetryOptions = {}) {
    const { time, seed } = live(options ?? {})
    const { policy, budget } = taken(without(options, TIMED))
    this.#ref = kept(options ?? {})
    this.#judge = new Judge(options ?? {})
    const shared = budget && budgetOf(budget).handle
    const shape = accepted(native.retryNew(policy, time.handle, seed, shared, time.now()))
    this.#handle = own(this, shape.handle)
    this.#time = time
    this.#policy = policy
    this.#budget = budget ?? adopted(shape.budget, time)
  }

  /** Its budget, if it has one. */
  get budget(): Budget | undefined {
    return this.#budget
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { budget: this.#budget })
  }

  /** Begins a call that must be over `deadline` from now, and deposits into the budget. */
  start({ deadline }: { deadline?: Duration | null | undefined } = {}): RetryCall {
    const retry = this.#acting()
    return retry.#begin(deadline, retry.#time)
  }

  #begin(deadline: Duration | null | undefined, time: Time): RetryCall {
    return new RetryCall(accepted(native.retryStart(this.#handle, deadline, time.now())), time, this === through)
  }

  /** What decides for a call that begins now. */
  #acting(): Retry {
    return disabled.isOn ? (through ??= new Retry({ ignore: () => true })) : this
  }

  /**
   * Calls `fn` until it succeeds or retries end, on a failing value with that value.
   * @throws what `fn` threw last
   */
  call<T>(
    fn: (context: { readonly attempt: number }) => T,
    options: { deadline?: Duration } = {},
  ): Promise<Awaited<T>> {
    if (typeof fn !== 'function') return uncallable()
    const retry = on === 0 ? this : this.#acting()
    const time = on !== 0 && instant.isOn ? retry.#time.skipping() : retry.#time
    const deadline = options?.deadline
    const by = on === 0 || retry === through ? undefined : tracer
    return deadline == null && by === undefined ? retry.#first(fn, time) : retry.#asked(fn, time, deadline, by)
  }

  /** The first attempt of a call without a deadline: the core hears of it once it has failed. */
  #first<T>(fn: Fn<T>, time: Time): Promise<Awaited<T>> {
    if (this.#budget !== undefined) budgetOf(this.#budget).deposit()
    const started = time.coarse()
    const goOn = (result: Result) => this.#goOn({ fn, time, started, by: undefined }, undefined, 1, result)
    let promise: Promise<Awaited<T>>
    try {
      const value = fn({ attempt: 1 })
      promise = value instanceof Promise ? promised(value) : Promise.resolve(value)
    } catch (error) {
      return goOn({ error })
    }
    const returned = this.#judge.trustsValues ? undefined : (value: Awaited<T>) => goOn({ value })
    return promise.then(returned, (error: unknown) => goOn({ error }))
  }

  /** A call that the core hears of when it begins: with a deadline, or with a tracer that is told of its attempts. */
  async #asked<T>(
    fn: Fn<T>,
    time: Time,
    deadline: Duration | null | undefined,
    by: Tracer | undefined,
  ): Promise<Awaited<T>> {
    const call = this.#begin(deadline, time)
    const series = { fn, time, started: time.now(), by }
    return this.#goOn(series, call, 1, await attempted(series, 1))
  }

  /** Goes on after an attempt that came to `result`. */
  async #goOn<T>(series: Series<T>, call: RetryCall | undefined, attempt: number, result: Came): Promise<Awaited<T>> {
    const { time, started } = series
    for (;;) {
      const { span } = result
      const threw = 'error' in result
      const verdict = threw ? this.#judge.error(result.error) : this.#judge.value(result.value)
      const came = threw ? result.error : result.value
      const ended = () => span?.end(ENDINGS[verdict]!, came)
      let decision: Decision | undefined
      if (verdict === RETRYABLE || verdict === FINAL) {
        call ??= new RetryCall(native.series(this.#handle), time, this === through)
        decision = decide(call, { retryable: verdict === RETRYABLE, hint: this.#judge.given }, span, ended)
      } else {
        ended()
      }
      if (decision?.waitNs === undefined) {
        if (!threw) return came as Awaited<T>
        note(came, { attempts: attempt, elapsedMs: (time.now() - started) / 1e6, stop: decision?.stop })
        throw came
      }
      await time.sleep(decision.waitNs, this.#ref)
      result = await attempted(series, ++attempt)
    }
  }

  /** `fn` under this retry, with its parameters, its result and its `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => Promise<Awaited<T>> {
    return wrapped(fn, run => this.call(run))
  }
}

/** What is the same in every attempt of a call. */
interface Series<T> {
  readonly fn: Fn<T>
  readonly time: Time
  readonly started: number
  /** Who is told of them. */
  readonly by: Tracer | undefined
}

/** What an attempt came to, and its span, if it has one. */
type Came = Result & { readonly span?: AttemptSpan | undefined }

async function attempted<T>({ fn, by }: Series<T>, attempt: number): Promise<Came> {
  const span = by?.begin(undefined, undefined, attempt)
  const run = () => fn({ attempt })
  return { ...(await cameTo(span === undefined ? run : () => span.run(run))), span }
}

/** The budget of a handle that was made natively. */
export function adopted(handle: number | undefined, time: Time): Budget | undefined {
  return handle === undefined ? undefined : new Budget(new BudgetCore(handle, time))
}
