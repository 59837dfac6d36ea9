/**
 * A breaker alone, and the permits it grants.
 */
import { Cells, view } from './cells.js'
import { attend, told } from './channels.js'
import { host, type Time } from './clock.js'
import { GRAIN } from './coarse.js'
import { accepted, refuse, rejected, type BreakerOpen } from './errors.js'
import type { BreakerEvents } from './event.js'
import { tell } from './hearing.js'
import { INSPECT, shownAs } from './inspect.js'
import { ENDINGS, HOOKS, Judge, SUCCESS, type JudgeOptions, type Result } from './judge.js'
import { Listeners } from './listeners.js'
import { metricsOf, type Metrics } from './metrics.js'
import { native, own } from './native.js'
import { OURS, live, without, type LiveOptions } from './options.js'
import type { BreakerPolicy, Duration } from './policy.js'
import { foundBy, tokenOf, type Token } from './share.js'
import { disabled, on } from './switch.js'
import { tracer, type AttemptSpan } from './tracer.js'
import type { OpenReason, State } from './words.js'
import { cameTo, promised, rejectSoon, uncallable, wrapped } from './wrap.js'

export type BreakerOptions = BreakerPolicy & JudgeOptions & LiveOptions

/** A breaker's state in portable form; the same document in every language. */
export interface Snapshot {
  readonly version: 1
  readonly state: 'closed' | 'open' | 'half_open'
  readonly override: 'forced_open' | 'forced_closed' | null
  /** How long it was still to stay open, in nanoseconds. */
  readonly remaining_ns: number
  /** How often in a row it had opened. */
  readonly opens: number
  readonly reason: OpenReason | null
}

/** Outcomes as the core takes them. */
export const OUTCOME = { success: 0, failure: 1, ignored: 2, cancelled: 3 } as const
/** The outcome of each verdict. */
const OUTCOMES = [OUTCOME.success, OUTCOME.ignored, OUTCOME.failure, OUTCOME.failure] as const
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME]

const EVENTS = ['stateChange', 'reject', 'lateResult']

/** What the rest of the package knows of a breaker. */
export class BreakerCore {
  readonly name: string
  /** Whether it counts successes by a clock, and whether a coarse one will do. */
  private readonly counts: boolean
  private readonly countsCoarsely: boolean
  /** Whether it asks how long a call took. */
  readonly needsDuration: boolean
  /** Its words, where JavaScript may add to them: not on a manual clock, on which every success has its exact time. */
  readonly cells: Cells | undefined
  /** Whether neither the time at which a call began plays a part, nor the value it came to. */
  readonly isPlain: boolean
  #listeners: Listeners | undefined = undefined

  constructor(
    readonly handle: number,
    readonly time: Time,
    readonly judge: Judge,
  ) {
    own(this, handle)
    const { name, slow, counts, clock, needsDuration } = native.breakerShape(handle, GRAIN)
    this.name = name
    // Asked once: a text that comes from outside is compared letter by letter.
    this.counts = clock !== 'none'
    this.countsCoarsely = clock === 'coarse'
    this.needsDuration = needsDuration
    this.isPlain = judge.trustsValues && !needsDuration
    const words = time.handle === undefined ? view(handle) : undefined
    this.cells = words && new Cells(words, slow, counts)
  }

  /** Who listens to it. */
  get listeners(): Listeners {
    return (this.#listeners ??= new Listeners(this.handle, EVENTS))
  }

  /** The epoch of a call that passes in sight of JavaScript; else −1. */
  enter(): number {
    return this.cells === undefined ? -1 : this.cells.enter()
  }

  /** When a call that begins now was granted, where that will matter. */
  granted(): number {
    return this.needsDuration ? this.time.now() : NaN
  }

  /** The epoch of an admitted call, or the error of one that is not admitted. */
  acquire(): number | BreakerOpen {
    attend()
    const epoch = native.acquire(this.handle, this.time.now())
    const answer = epoch < 0 ? rejected(this.name, -1 - epoch) : epoch
    tell()
    return answer
  }

  /** Other threads may find it from now on. */
  share(): void {
    this.cells?.share()
  }

  /** When a success of now is counted, by `time`, as exactly as the window tells. */
  counted(time: Time): number {
    if (!this.counts) return 0
    return this.countsCoarsely ? time.coarse() : time.now()
  }

  succeeded(epoch: number, granted: number): void {
    const now = this.needsDuration ? this.time.now() : this.counted(this.time)
    const took = this.needsDuration ? now - granted : 0
    if (!this.cells?.succeed(epoch, took, now)) this.record(epoch, OUTCOME.success, granted, NaN)
  }

  settled(epoch: number, verdict: number, granted: number): void {
    if (verdict === SUCCESS) this.succeeded(epoch, granted)
    else this.record(epoch, OUTCOMES[verdict]!, granted, NaN)
  }

  record(epoch: number, outcome: Outcome, granted: number, took: number): void {
    attend()
    this.#settle(epoch, outcome, granted, took)
    tell()
  }

  /** What an attempt with a span came to. */
  ended(epoch: number, granted: number, result: Result, span: AttemptSpan): void {
    const threw = 'error' in result
    const verdict = threw ? this.judge.error(result.error) : this.judge.value(result.value)
    const ended = () => span.end(ENDINGS[verdict]!, threw ? result.error : result.value)
    told(() => this.#settle(epoch, OUTCOMES[verdict]!, granted, NaN), span, ended)
  }

  #settle(epoch: number, outcome: Outcome, granted: number, took: number): void {
    const until = native.settle(this.handle, epoch, outcome, granted, took, this.time.now())
    if (outcome === OUTCOME.success) this.cells?.allow(epoch, until)
  }
}

/** A call that the breaker is not there for. */
async function straight<T>(fn: () => T): Promise<Awaited<T>> {
  return await fn()
}

/** The call of an epoch that it passed in, where the time at which it began plays no part, nor does its value. */
function plain<T>(core: BreakerCore, fn: () => T, epoch: number): Promise<Awaited<T>> {
  let promise: Promise<Awaited<T>>
  try {
    const value = fn()
    // A native promise is taken as it is, and the callbacks cost less than the frame of an `await`.
    promise = value instanceof Promise ? promised(value) : Promise.resolve(value)
  } catch (error) {
    core.settled(epoch, core.judge.error(error), NaN)
    return Promise.reject(error)
  }
  return promise.then(
    value => {
      core.succeeded(epoch, NaN)
      return value
    },
    (error: unknown) => {
      core.settled(epoch, core.judge.error(error), NaN)
      throw error
    },
  )
}

/** A call that the core must admit. */
function asked<T>(core: BreakerCore, fn: () => T): Promise<Awaited<T>> {
  const epoch = core.acquire()
  if (typeof epoch !== 'number') return new Promise((_, reject) => rejectSoon(reject, epoch))
  const span = tracer?.begin(undefined, core, 1)
  return span === undefined ? full(core, fn, epoch) : spanned(core, fn, epoch, span)
}

/** A call that a tracer is told of: the core decides about all of it. */
async function spanned<T>(core: BreakerCore, fn: () => T, epoch: number, span: AttemptSpan): Promise<Awaited<T>> {
  const granted = core.granted()
  const result = await cameTo(() => span.run(fn))
  core.ended(epoch, granted, result, span)
  if ('error' in result) throw result.error
  return result.value as Awaited<T>
}

/** Any other call. */
async function full<T>(core: BreakerCore, fn: () => T, epoch: number): Promise<Awaited<T>> {
  const granted = core.granted()
  let value
  try {
    value = await fn()
  } catch (error) {
    core.settled(epoch, core.judge.error(error), granted)
    throw error
  }
  core.settled(epoch, core.judge.value(value), granted)
  return value
}

/** An admission that has not been used up. */
interface Ticket {
  readonly breaker: BreakerCore
  readonly epoch: number
  readonly granted: number
  used: boolean
}

function use(ticket: Ticket, outcome: Outcome, took?: Duration): void {
  if (ticket.used) return
  const nanos = took === undefined ? NaN : accepted(native.spanNanos(took, 'took'))
  ticket.used = true
  ticket.breaker.record(ticket.epoch, outcome, ticket.granted, nanos)
}

/** Cancels permits that were lost. The last resort: nobody knows when it comes. */
const lost = new FinalizationRegistry<Ticket>(ticket => use(ticket, OUTCOME.cancelled))

/**
 * The right to make one call. Say what became of it; only the first word counts. With `using`, leaving
 * the block says that the call was cancelled. `took` is how long the call took, where the caller has
 * measured it.
 */
export class Permit {
  readonly #ticket: Ticket

  /** @internal */
  constructor(ticket: Ticket, probe: boolean) {
    this.#ticket = ticket
    // Only a probe holds a place that must come back.
    if (probe) lost.register(this, ticket)
  }

  /** The call succeeded. */
  success(took?: Duration): void {
    use(this.#ticket, OUTCOME.success, took)
  }

  /** The call failed. */
  failure(took?: Duration): void {
    use(this.#ticket, OUTCOME.failure, took)
  }

  /** The call ended in a way that says nothing of the dependency. */
  ignored(took?: Duration): void {
    use(this.#ticket, OUTCOME.ignored, took)
  }

  /** The caller gave up. */
  cancelled(took?: Duration): void {
    use(this.#ticket, OUTCOME.cancelled, took)
  }

  [Symbol.dispose](): void {
    use(this.#ticket, OUTCOME.cancelled)
  }
}

/** What stands behind a breaker. */
export let coreOf: (breaker: Breaker) => BreakerCore

/** The live state of one dependency: whether calls pass, and why not. */
export class Breaker {
  readonly #core: BreakerCore

  static {
    coreOf = breaker => breaker.#core
  }

  /**
   * A closed breaker.
   * @throws InvalidPolicy naming the option, the value and the rule it breaks
   */
  constructor(name?: string, options?: BreakerOptions)
  /** @internal the breaker of a guard */
  constructor(name: string, core: BreakerCore)
  constructor(name = 'breaker', options: BreakerOptions | BreakerCore = {}) {
    if (options instanceof BreakerCore) {
      this.#core = options
      return
    }
    if (typeof name !== 'string') refuse('name', name, 'must be a text')
    const { time, seed } = live(options ?? {})
    const judge = new Judge(options ?? {})
    const policy = without(options, OURS)
    const handle = accepted(native.breakerNew(name, policy, time.handle, seed, time.now()))
    this.#core = new BreakerCore(handle, time, judge)
  }

  /**
   * The breaker of a token, which another thread of this process has given: one breaker for both. What the
   * results mean is said here, as hooks stay with their thread.
   * @throws InvalidPolicy where it leads to no breaker any more
   */
  static from(token: Token<'breaker'>, options: JudgeOptions = {}): Breaker {
    const [extra] = Object.keys(without(options, HOOKS) as object)
    if (extra !== undefined) refuse(extra, extra, 'cannot be set beside a token')
    const judge = new Judge(options)
    const core = new BreakerCore(foundBy(token, 'breaker', native.breakerOf), host, judge)
    core.share()
    return new Breaker(core.name, core)
  }

  /** A token of this breaker, for other threads of this process. It leads here until this thread ends. */
  share(): Token<'breaker'> {
    this.#core.share()
    return tokenOf('breaker', this.name, this.#core.handle, this.#core.time)
  }

  /** Its name. */
  get name(): string {
    return this.#core.name
  }

  /** Where it stands. `open` shows as open until a call makes it half-open. */
  get state(): State {
    return native.breakerState(this.#core.handle)
  }

  /** Why it is open; `undefined` while it is not. */
  get reason(): OpenReason | undefined {
    return (native.breakerReason(this.#core.handle) as OpenReason | null) ?? undefined
  }

  /** How many outcomes came after their epoch was over, and changed nothing. */
  get late(): number {
    return native.breakerLate(this.#core.handle)
  }

  /** How many milliseconds until it will admit a probe; `undefined` while it is not open. */
  get retryAfterMs(): number | undefined {
    return native.breakerRetryAfter(this.#core.handle, this.#core.time.now()) ?? undefined
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { name: this.name, state: this.state, reason: this.reason, retryAfterMs: this.retryAfterMs })
  }

  /**
   * Asks for admission.
   * @throws BreakerOpen when no call is admitted
   */
  acquire(): Permit {
    const breaker = this.#core
    if (disabled.isOn) return new Permit({ breaker, epoch: -1, granted: NaN, used: true }, false)
    const granted = breaker.granted()
    const passed = breaker.enter()
    const epoch = passed < 0 ? breaker.acquire() : passed
    if (typeof epoch !== 'number') throw epoch
    return new Permit({ breaker, epoch, granted, used: false }, passed < 0)
  }

  /**
   * Calls `fn` if the breaker admits it, and records what became of it.
   * @throws BreakerOpen when no call is admitted; what `fn` throws
   */
  call<T>(fn: () => T): Promise<Awaited<T>> {
    if (typeof fn !== 'function') return uncallable()
    const core = this.#core
    if (on === 0) {
      const epoch = core.enter()
      if (epoch >= 0) return core.isPlain ? plain(core, fn, epoch) : full(core, fn, epoch)
    } else if (disabled.isOn) {
      return straight(fn)
    }
    return asked(core, fn)
  }

  /** `fn` under this breaker, with its parameters, its result and its `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => Promise<Awaited<T>> {
    return wrapped(fn, run => this.call(run))
  }

  /** What it has counted since it was made, and where it stands. */
  metrics(): Metrics {
    return metricsOf(this.#core.handle)
  }

  /**
   * Where it stands, why, what would change that, and its last changes of state: in words for people, the same in every
   * language.
   *
   * @example
   * console.log(breaker.explain())
   */
  explain(): string {
    return native.explainSource(this.#core.handle, this.#core.time.now())
  }

  /** Opens it by hand, for `time` (at most 24 h) or for its cooldown. */
  trip(time?: Duration): void {
    told(() => accepted(native.breakerTrip(this.#core.handle, time, this.#core.time.now())))
  }

  /** Closes it, with everything forgotten. */
  reset(): void {
    this.#command('reset')
  }

  /** Rejects every call until `automatic`. */
  forceOpen(): void {
    this.#command('forceOpen')
  }

  /** Admits every call until `automatic`. */
  forceClosed(): void {
    this.#command('forceClosed')
  }

  /** Takes an override back; does nothing without one. */
  automatic(): void {
    this.#command('automatic')
  }

  #command(command: string): void {
    told(() => native.breakerCommand(this.#core.handle, command, this.#core.time.now()))
  }

  /** The state in portable form, to restore in another process. */
  snapshot(): Snapshot {
    return JSON.parse(native.breakerSnapshot(this.#core.handle, this.#core.time.now())) as Snapshot
  }

  /**
   * Goes to the state of a snapshot, in a new epoch.
   * @throws InvalidPolicy where the snapshot cannot be
   */
  restore(snapshot: Snapshot): void {
    const json = JSON.stringify(snapshot) ?? 'undefined'
    told(() => accepted(native.breakerRestore(this.#core.handle, json, this.#core.time.now())))
  }

  /**
   * Calls `listener` with each event of this name, as `subscribe` does, as long as somebody holds this breaker.
   *
   * @example
   * breaker.on('stateChange', ({ old, new: state, reason }) => console.log(`${old} → ${state}: ${reason}`))
   * @throws InvalidPolicy where a breaker tells of no such event
   */
  on<Name extends keyof BreakerEvents>(name: Name, listener: (event: BreakerEvents[Name]) => unknown): this {
    this.#core.listeners.add(name, listener, false)
    return this
  }

  /** Calls `listener` with the next event of this name. */
  once<Name extends keyof BreakerEvents>(name: Name, listener: (event: BreakerEvents[Name]) => unknown): this {
    this.#core.listeners.add(name, listener, true)
    return this
  }

  /** Takes a listener away. */
  off<Name extends keyof BreakerEvents>(name: Name, listener: (event: BreakerEvents[Name]) => unknown): this {
    this.#core.listeners.delete(name, listener)
    return this
  }
}
