/**
 * What a running call knows of its guard: the clock, the limits, the hooks, and how to enter in place.
 */
import { OUTCOME, type BreakerCore, type Outcome } from './breaker.js'
import type { BudgetCore } from './budget.js'
import { Calls } from './calls.js'
import type { Cells } from './cells.js'
import { attend } from './channels.js'
import { host, type Time } from './clock.js'
import { Endless, type Deadlines } from './deadlines.js'
import { quietly } from './errors.js'
import { Judge, type Rules } from './judge.js'
import { laneOf, Word, type Lane } from './lane.js'
import { Listeners } from './listeners.js'
import { native, own, type GuardShape } from './native.js'
import type { Tracer } from './tracer.js'

const EVENTS = native.eventNames().filter(name => name !== 'eviction')

export class GuardCore {
  readonly handle: number
  /** What bounds a first attempt, in ns. */
  readonly limit: number
  /** Whether anything does. */
  readonly isBounded: boolean
  readonly deadlines: Deadlines
  readonly trustsValues: boolean
  readonly calls = new Calls()
  /** The rules of a protocol that its calls are of. */
  readonly rules: Rules | undefined = undefined
  /** Who is told of its attempts. */
  readonly tracer: Tracer | undefined = undefined
  #listeners: Listeners | undefined = undefined
  /** Whether the time at which a call began bounds nothing and counts nowhere. */
  private readonly forAccounts: boolean
  /** Whether calls enter in JavaScript: on its own clock, with every word in sight. */
  private entersHere: boolean
  /** The words of its breaker. */
  private readonly cells: Cells | undefined
  /** Where those calls are counted. */
  private readonly lane: Lane | undefined
  /** Whether the healthy ones of them end here too: where nobody asks how long they took. */
  private readonly endsHere: boolean

  constructor(
    readonly name: string,
    readonly time: Time,
    /** Whether its timers keep the process alive. */
    readonly ref: boolean,
    readonly judge: Judge,
    shape: GuardShape,
    readonly breaker: BreakerCore | undefined,
    private readonly budget: BudgetCore | undefined,
  ) {
    this.handle = own(this, shape.handle)
    this.limit = shape.limit
    this.isBounded = shape.limit !== Infinity
    this.deadlines = this.isBounded ? time.deadlines(ref) : new Endless()
    this.trustsValues = judge.trustsValues
    this.forAccounts = !this.isBounded && breaker?.needsDuration !== true && !shape.durations
    this.cells = breaker?.cells
    const seesBreaker = breaker === undefined || this.cells !== undefined
    const seesBudget = budget === undefined || budget.isInSight
    this.lane = time === host && seesBreaker && seesBudget ? laneOf(shape.handle) : undefined
    this.entersHere = this.lane !== undefined
    this.endsHere = this.entersHere && !shape.durations
  }

  /** The name that its breaker's rejections have. */
  get breakerName(): string {
    return this.breaker?.name ?? this.name
  }

  /** Who listens to it. */
  get listeners(): Listeners {
    return (this.#listeners ??= new Listeners(this.handle, EVENTS))
  }

  /** Lets no call begin any more, and ends those under way. */
  close(): void {
    const message = `guard \`${this.name}\` was disposed of`
    const reason = (this.calls.closed ??= quietly(() => new DOMException(message, 'AbortError')))
    this.entersHere = false
    const running = this.deadlines.items().filter(({ owner }) => owner === this.calls)
    for (const call of [...running, ...this.calls.waiting]) call.cancel(reason)
  }

  /** The epoch of a call that the closed breaker lets pass, its deposit made; −1 where the core must decide. */
  enter(): number {
    if (!this.entersHere) return this.enterThere()
    const { cells } = this
    const epoch = cells === undefined ? 0 : cells.enter()
    if (epoch >= 0) {
      this.lane![Word.BEGUN]!++
      this.budget?.deposit()
    }
    return epoch
  }

  private enterThere(): number {
    return this.time === host && this.calls.closed === undefined ? native.enter(this.handle) : -1
  }

  /** When a call that begins now began; roughly, where it is only told of. */
  started(): number {
    return this.forAccounts ? this.time.coarse() : this.time.now()
  }

  /** When an attempt that succeeds now ended, as exactly as it must be known. */
  ended(): number {
    if (!this.forAccounts) return this.time.now()
    return this.breaker === undefined ? 0 : this.breaker.counted(this.time)
  }

  /** Itself for one call, whose waits take no time. */
  skipping(): GuardCore {
    const time = this.time.skipping()
    if (time === this.time) return this
    const own = { time: { value: time }, deadlines: { value: this.deadlines.apart(() => time.now()) } }
    return Object.create(this, own) as GuardCore
  }

  /** Itself for one call of a protocol. */
  under(rules: Rules): GuardCore {
    const judge = new Judge(this.judge, rules)
    return Object.create(this, {
      rules: { value: rules },
      judge: { value: judge },
      trustsValues: { value: judge.trustsValues },
    }) as GuardCore
  }

  /** Itself for one call that a tracer is told of: the core decides about all of it. */
  traced(tracer: Tracer): GuardCore {
    return Object.create(this, { tracer: { value: tracer }, enter: { value: () => -1 } }) as GuardCore
  }

  /** 1 where no failure of a call may be retried. */
  get once(): number {
    return this.rules?.repeatable === false ? 1 : 0
  }

  /** The attempt of a call that had entered succeeded. Whether that was all there was to decide. */
  succeeded(epoch: number, started: number, now: number): boolean {
    const { cells } = this
    if (this.endsHere && (cells === undefined || cells.succeed(epoch, now - started, now))) {
      this.lane![Word.HEALTHY]!++
      return true
    }
    this.record(epoch, OUTCOME.success, started, now)
    return false
  }

  /** What became of the attempt of a call that had entered. */
  record(epoch: number, outcome: Outcome, started: number, now: number): void {
    attend()
    if (this.lane !== undefined) this.lane[Word.HANDED_OVER]!++
    const until = native.record(this.handle, epoch, outcome, started, now)
    if (outcome === OUTCOME.success) this.breaker?.cells?.allow(epoch, until)
  }

  /** The native call of one that had entered, its attempt running. */
  adopted(epoch: number, started: number): number {
    if (this.lane !== undefined) this.lane[Word.HANDED_OVER]!++
    return native.adopt(this.handle, epoch, started, this.once)
  }
}
