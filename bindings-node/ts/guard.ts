/**
 * A policy, a breaker and a retry around a call.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Breaker, BreakerCore, OUTCOME, coreOf, type Outcome } from './breaker.js'
import { Budget, budgetOf } from './budget.js'
import { view } from './cells.js'
import { host, type Time } from './clock.js'
import type { Deadlines } from './deadlines.js'
import { accepted, refuse } from './errors.js'
import { Judge } from './judge.js'
import { native, own, type Brought, type GuardShape, type Refused } from './native.js'
import { OURS, live, replaced, without } from './options.js'
import type { GuardOptions, JudgeOptions, LiveOptions } from './policy.js'
import { adopted, taken } from './retry.js'
import { Run, type CallOptions, type Context } from './run.js'
import { disabled, instant } from './switch.js'
import { wrapped } from './wrap.js'

/** What a running call knows of its guard. */
export class GuardCore {
  readonly handle: number
  /** What bounds a first attempt, in ns. */
  readonly limit: number
  readonly deadlines: Deadlines
  readonly trustsValues: boolean
  /** The lane of the budget that says what it holds, where there is a budget to be seen. */
  private readonly held: Uint32Array | undefined
  private readonly capacity: number
  /** Whether calls enter in JavaScript: on its own clock, with every word in sight. */
  private readonly entersHere: boolean

  constructor(
    readonly time: Time,
    readonly judge: Judge,
    shape: GuardShape,
    private readonly breaker: BreakerCore | undefined,
    budget: number | undefined,
  ) {
    this.handle = own(this, shape.handle)
    this.limit = shape.limit
    this.deadlines = time.deadlines()
    this.trustsValues = judge.trustsValues
    this.held = budget === undefined ? undefined : view(budget)
    this.capacity = budget === undefined ? 0 : native.budgetCapacity(budget)
    const seesBreaker = breaker === undefined || breaker.cells !== undefined
    const seesBudget = budget === undefined || this.held !== undefined
    this.entersHere = time === host && seesBreaker && seesBudget
  }

  /** The epoch of a call that the closed breaker lets pass, its deposit made; −1 where the core must decide. */
  enter(): number {
    if (!this.entersHere) return this.time === host ? native.enter(this.handle) : -1
    const cells = this.breaker?.cells
    const epoch = cells === undefined ? 0 : cells.enter()
    if (epoch >= 0 && this.held !== undefined && Atomics.load(this.held, 0) !== this.capacity)
      native.deposit(this.handle)
    return epoch
  }

  /** Itself for one call, whose waits take no time. */
  skipping(): GuardCore {
    const time = this.time.skipping()
    if (time === this.time) return this
    const own = { time: { value: time }, deadlines: { value: time.deadlines() } }
    return Object.create(this, own) as GuardCore
  }

  /** The attempt of a call that had entered succeeded. */
  succeeded(epoch: number, started: number, now: number): void {
    if (this.breaker?.cells?.succeed(epoch, now - started, now) !== true)
      this.record(epoch, OUTCOME.success, started, now)
  }

  /** What became of the attempt of a call that had entered. */
  record(epoch: number, outcome: Outcome, started: number, now: number): void {
    if (this.breaker === undefined) return
    const until = native.record(this.handle, epoch, outcome, started, now)
    if (outcome === OUTCOME.success) this.breaker.cells?.allow(epoch, until)
  }
}

/** The guard of every call that goes straight through: it has nothing. */
let through: Guard | undefined

type DocumentOptions = JudgeOptions & LiveOptions

/** Reads the policy of a guard from a document. */
type Reader = (brought: Brought) => GuardShape | Refused

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
    let policy = without(options, OURS)
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
      now: time.now(),
    }
    const shape = accepted(reader === undefined ? native.guardNew(name, policy, brought) : reader(brought))
    if (shape.breaker !== undefined) {
      shared = new BreakerCore(shape.breaker, time, judge)
      this.breaker = new Breaker(name, shared)
    }
    this.name = name
    this.budget = budget ?? adopted(shape.budget, time)
    this.#core = new GuardCore(time, judge, shape, shared, this.budget && budgetOf(this.budget).handle)
  }

  /**
   * A guard of the policy `name` in a policy file, whose ending (`.toml`, `.json`) says what it is written in.
   * @throws InvalidPolicy where it holds no such valid policy; what reading the file throws
   */
  static fromFile(path: string | URL, name: string, options: DocumentOptions = {}): Guard {
    const file = path instanceof URL ? fileURLToPath(path) : String(path)
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
    return read(file, text, name, options)
  }

  /**
   * A guard of the policy `name` in the text of a document.
   * @throws InvalidPolicy where it holds no such valid policy
   */
  static fromText(
    text: string,
    name: string,
    { format, ...options }: DocumentOptions & { format: 'toml' | 'json' },
  ): Guard {
    if (format !== 'toml' && format !== 'json') refuse('format', format, 'must be `toml` or `json`')
    return read(`document.${format}`, text, name, options)
  }

  /**
   * Calls `fn` under this guard, retrying and waiting as the policy says.
   * @throws the last own error of `fn`, untouched; BreakerOpen, AttemptTimeout or DeadlineExceeded;
   * the reason of `options.signal`
   */
  call<T>(fn: (context: Context) => T, options?: CallOptions): Promise<Awaited<T>> {
    return new Promise((resolve, reject) => {
      if (typeof fn !== 'function') throw new TypeError('a function is needed')
      new Run(this.#surrounding(), fn, resolve, reject).start(options)
    })
  }

  /** What surrounds a call that begins now. */
  #surrounding(): GuardCore {
    if (disabled.isOn) {
      through ??= new Guard('disabled', { deadline: false, attemptTimeout: false, retry: false, breaker: false })
      return through.#core
    }
    return instant.isOn ? this.#core.skipping() : this.#core
  }

  /** `fn` under this guard, with its parameters, its result and its `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => Promise<Awaited<T>> {
    return wrapped(fn, run => this.call(run))
  }
}

function read(file: string, text: string, name: string, options: DocumentOptions): Guard {
  const [extra] = Object.keys(without(options, OURS) as object)
  if (extra !== undefined) refuse(extra, extra, 'cannot be set beside a document')
  return new Guard(name, options, brought => native.guardRead(file, text, name, brought))
}
