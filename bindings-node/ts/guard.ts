/**
 * A policy, a breaker and a retry around a call.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Context } from './attempt.js'
import { Breaker, BreakerCore, coreOf } from './breaker.js'
import { Budget, budgetOf } from './budget.js'
import type { CallOptions } from './callers.js'
import { accepted, refuse } from './errors.js'
import type { GuardEvents } from './event.js'
import { GuardCore } from './guard-core.js'
import { INSPECT, shownAs } from './inspect.js'
import { HOOKS, Judge, type JudgeOptions, type Rules } from './judge.js'
import { metricsOf, type Metrics } from './metrics.js'
import { native, type Brought, type GuardShape, type Refused } from './native.js'
import {
  MEASURED,
  kept,
  live,
  replaced,
  timing,
  without,
  type LiveOptions,
  type MetricsOptions,
  type TimerOptions,
} from './options.js'
import type { BreakerPolicy, Duration } from './policy.js'
import { adopted, taken, type Retry, type RetryPolicy } from './retry.js'
import { run } from './run.js'
import { foundBy, tokenOf, type Token } from './share.js'
import { disabled, instant, on } from './switch.js'
import { tracer } from './tracer.js'
import { wrapped } from './wrap.js'

/** The guard of every call that goes straight through: it has nothing, and no error is a failure to it. */
let through: Guard | undefined

/** Everything that surrounds one call. */
export interface GuardPolicy {
  /** The time for the whole call; 30 s by default, `false` for none. */
  readonly deadline?: Duration | false | undefined
  /** The time for one attempt; 10 s by default, `false` for none. */
  readonly attemptTimeout?: Duration | false | undefined
  /** What a call does while the breaker rejects; `'fail'` by default. */
  readonly whenOpen?: 'fail' | 'wait' | undefined
  /** How to retry, or a retry whose policy and budget are to hold. */
  readonly retry?: RetryPolicy | Retry | boolean | undefined
  /** When to stop calling a dependency that fails, or a breaker shared with others. */
  readonly breaker?: BreakerPolicy | Breaker | boolean | undefined
}

export type GuardOptions = GuardPolicy & JudgeOptions & LiveOptions & TimerOptions & MetricsOptions

export type DocumentOptions = JudgeOptions & LiveOptions & TimerOptions & MetricsOptions

/** Reads the policy of a guard from a document. */
type Reader = (brought: Brought) => GuardShape | Refused

/** The handle of a guard. */
export let sourceOf: (guard: Guard) => number
/** What surrounds a call of a guard that begins now. */
export let surroundings: (guard: Guard) => GuardCore
/** The same for a call of a protocol. */
export let under: (guard: Guard, rules: Rules) => GuardCore
/** Whether a guard was disposed of. */
export let isClosed: (guard: Guard) => boolean

/**
 * Surrounds calls of one dependency: `deadline( retry( breaker( attempt timeout( fn ))))`, decided
 * jointly. Where it has none of `on`, `ignore` and `classify`, those of its retry or breaker hold.
 */
export class Guard {
  /** Its name. */
  readonly name: string
  /** Its breaker, if it has one. */
  readonly breaker: Breaker | undefined
  /** Its budget, if it has one. */
  readonly budget: Budget | undefined
  readonly #core: GuardCore

  static {
    surroundings = guard => guard.#surrounding()
    sourceOf = guard => guard.#core.handle
    isClosed = guard => guard.#core.calls.closed !== undefined
    under = (guard, rules) => (disabled.isOn ? guard.#surrounding() : guard.#surrounding().under(rules))
  }

  /**
   * A guard with every default that is not said otherwise.
   * @throws InvalidPolicy naming the option, the value and the rule it breaks
   */
  constructor(name: string, options?: GuardOptions)
  /** @internal the guard of a document */
  constructor(name: string, options: DocumentOptions, reader: Reader)
  constructor(name: string, options: GuardOptions = {}, reader?: Reader) {
    if (typeof name !== 'string') refuse('name', name, 'must be a text')
    let judge = new Judge(options ?? {})
    const { seed, time: chosen } = live(options ?? {})
    const ref = kept(options ?? {})
    let policy = without(options, MEASURED)
    let shared: BreakerCore | undefined
    let budget: Budget | undefined
    if (options?.breaker instanceof Breaker) {
      this.breaker = options.breaker
      shared = coreOf(this.breaker)
      if (judge.isDefault) judge = shared.judge
      policy = replaced(policy, 'breaker', false)
    }
    if (typeof options?.retry === 'object') {
      const parts = taken(options.retry)
      budget = parts.budget
      if (judge.isDefault && parts.judge !== undefined) judge = parts.judge
      policy = replaced(policy, 'retry', parts.policy)
    }
    const time = options?.clock === undefined ? (shared?.time ?? chosen) : chosen
    if (shared !== undefined && shared.time !== time)
      refuse('clock', 'another', 'must be the clock of the shared breaker')
    if (budget !== undefined && budgetOf(budget).time !== time)
      refuse('clock', 'another', 'must be the clock of the shared budget')

    const brought = {
      clock: time.handle,
      seed,
      breaker: shared?.handle,
      budget: budget && budgetOf(budget).handle,
      durations: timing(options ?? {}),
      measured: true,
      now: time.now(),
    }
    const shape = accepted(reader === undefined ? native.guardNew(name, policy, brought) : reader(brought))
    if (shape.breaker !== undefined) {
      shared = new BreakerCore(shape.breaker, time, judge)
      this.breaker = new Breaker(name, shared)
    }
    this.name = name
    this.budget = budget ?? adopted(shape.budget, time)
    this.#core = new GuardCore(name, time, ref, judge, shape, shared, this.budget && budgetOf(this.budget))
  }

  /**
   * A guard of the policy `name` in a policy file, whose ending (`.toml`, `.json`) says what it is written in.
   * @throws InvalidPolicy where it holds no such valid policy; what reading the file throws
   */
  static fromFile(path: string | URL, name: string, options: DocumentOptions = {}): Guard {
    const { file, text } = opened(path)
    return read(file, text, name, options)
  }

  /**
   * A guard of the policy `name` in the text of a document.
   * @throws InvalidPolicy where it holds no such valid policy
   */
  static fromText(
    text: string,
    name: string,
    given: DocumentOptions & { format: 'toml' | 'json' },
  ): Guard {
    const { format, ...options } = given ?? {}
    if (typeof text !== 'string') refuse('text', text, 'must be a text')
    if (format !== 'toml' && format !== 'json') refuse('format', format, 'must be `toml` or `json`')
    return read(`document.${format}`, text, name, options)
  }

  /**
   * The guard of a token, which another thread of this process has given: the same breaker, budget and policy.
   * What stays with each thread are its hooks, which are given here, and its calls: `drain` and disposing are
   * about those of this thread.
   *
   * @example
   * // main.js
   * new Worker('./worker.js', { workerData: payments.share() })
   * // worker.js
   * const payments = Guard.from(workerData)
   * @throws InvalidPolicy where it leads to no guard any more
   */
  static from(token: Token<'guard'>, options: JudgeOptions & TimerOptions = {}): Guard {
    const [extra] = Object.keys(without(options, [...HOOKS, 'ref']) as object)
    if (extra !== undefined) refuse(extra, extra, 'cannot be set beside a token')
    const shape = foundBy(token, 'guard', native.guardOf)
    const guard = new Guard(token.name, options, () => shape)
    if (guard.breaker !== undefined) coreOf(guard.breaker).share()
    return guard
  }

  /**
   * Calls `fn` under this guard, retrying and waiting as the policy says.
   * @throws the last own error of `fn`, untouched; BreakerOpen, AttemptTimeout or DeadlineExceeded;
   * the reason of `options.signal`
   */
  call<T>(fn: (context: Context) => T, options?: CallOptions): Promise<Awaited<T>> {
    return run(on === 0 ? this.#core : this.switched(), fn, options)
  }

  /** What surrounds a call that begins now. */
  #surrounding(): GuardCore {
    return on === 0 ? this.#core : this.switched()
  }

  private switched(): GuardCore {
    if (disabled.isOn) {
      const nothing = { deadline: false, attemptTimeout: false, retry: false, breaker: false } as const
      through ??= new Guard('disabled', { ignore: () => true }, brought =>
        native.guardNew('disabled', nothing, { ...brought, measured: false }),
      )
      return through.#core
    }
    const core = instant.isOn ? this.#core.skipping() : this.#core
    return tracer === undefined ? core : core.traced(tracer)
  }

  /** `fn` under this guard, with its parameters, its result and its `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => Promise<Awaited<T>> {
    return wrapped(fn, run => this.call(run))
  }

  /**
   * Calls `listener` with each event of this name that is about this guard or its breaker, as `subscribe` does, as long
   * as somebody holds this guard.
   *
   * @example
   * payments.on('retry', ({ attempt, wait }) => console.log(`attempt ${attempt} failed, again in ${wait} ms`))
   * @throws InvalidPolicy where a guard tells of no such event
   */
  on<Name extends keyof GuardEvents>(name: Name, listener: (event: GuardEvents[Name]) => unknown): this {
    this.#core.listeners.add(name, listener, false)
    return this
  }

  /** Calls `listener` with the next event of this name. */
  once<Name extends keyof GuardEvents>(name: Name, listener: (event: GuardEvents[Name]) => unknown): this {
    this.#core.listeners.add(name, listener, true)
    return this
  }

  /** Takes a listener away. */
  off<Name extends keyof GuardEvents>(name: Name, listener: (event: GuardEvents[Name]) => unknown): this {
    this.#core.listeners.delete(name, listener)
    return this
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { name: this.name, breaker: this.breaker, budget: this.budget })
  }

  /** What this guard and its breaker have counted since they were made. */
  metrics(): Metrics {
    return metricsOf(this.#core.handle)
  }

  /**
   * What its calls have come to, and where its breaker stands, why, and what would change that: in words for people, the same
   * in every language.
   *
   * @example
   * console.log(payments.explain())
   */
  explain(): string {
    return native.explainSource(this.#core.handle, this.#core.time.now())
  }

  /**
   * Resolves as soon as no call is under way; waits between attempts are part of a call. It ends nothing
   * and refuses nothing: stop the traffic first.
   *
   * @example
   * server.close()
   * await payments.drain()
   */
  drain(): Promise<void> {
    return this.#core.calls.drained()
  }

  /**
   * A token of this guard, for other threads of this process. It leads here until this guard is disposed of or
   * this thread ends; guards that were made of it by then go on.
   * @throws InvalidPolicy on a manual clock
   */
  share(): Token<'guard'> {
    if (this.breaker !== undefined) coreOf(this.breaker).share()
    return tokenOf('guard', this.name, this.#core.handle, this.#core.time)
  }

  /**
   * Ends the guard: calls under way reject at once, as if their callers had given up, with an `AbortError`;
   * so does every later call. The breaker and the budget stay as they are, for others that share them.
   */
  [Symbol.dispose](): void {
    this.#core.close()
    native.unshare(this.#core.handle)
  }

  /** Lets the calls under way come to their end, then ends the guard. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
    this[Symbol.dispose]()
  }
}

/** The text of a policy file. */
export function opened(path: string | URL): { file: string; text: string } {
  const file = path instanceof URL ? fileURLToPath(path) : String(path)
  return { file, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file)) }
}

function read(file: string, text: string, name: string, options: DocumentOptions): Guard {
  const [extra] = Object.keys(without(options, MEASURED) as object)
  if (extra !== undefined) refuse(extra, extra, 'cannot be set beside a document')
  return new Guard(name, options, brought => native.guardRead(file, text, name, brought))
}
