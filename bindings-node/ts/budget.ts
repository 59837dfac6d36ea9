/**
 * A retry budget alone.
 */
import { view } from './cells.js'
import { timeOf, type Time } from './clock.js'
import { accepted } from './errors.js'
import { INSPECT, shownAs } from './inspect.js'
import { native, own } from './native.js'
import { without, type LiveOptions } from './options.js'
import type { BudgetPolicy } from './policy.js'

export type BudgetOptions = BudgetPolicy & Pick<LiveOptions, 'clock'>

/** What the rest of the package knows of a budget. */
export class BudgetCore {
  /** The lane that says what it holds; empty where JavaScript does not see it. */
  private readonly held: Uint32Array
  private readonly capacity: number

  constructor(
    readonly handle: number,
    readonly time: Time,
  ) {
    own(this, handle)
    this.held = view(handle) ?? new Uint32Array()
    this.capacity = native.budgetCapacity(handle)
  }

  get isInSight(): boolean {
    return this.held.length !== 0
  }

  /** Deposits for one call; into a full budget nothing. */
  deposit(): void {
    if (this.held[0] !== this.capacity) this.fill()
  }

  private fill(): void {
    native.deposit(this.handle)
  }
}

/** What stands behind a budget. */
export let budgetOf: (budget: Budget) => BudgetCore

/** A retry budget, shared by all calls that may add retries to one dependency. */
export class Budget {
  readonly #core: BudgetCore

  static {
    budgetOf = budget => budget.#core
  }

  /**
   * A full budget.
   * @throws InvalidPolicy naming the option, the value and the rule it breaks
   */
  constructor(options?: BudgetOptions)
  /** @internal the budget of a guard or a retry */
  constructor(core: BudgetCore)
  constructor(options: BudgetOptions | BudgetCore = {}) {
    if (options instanceof BudgetCore) {
      this.#core = options
      return
    }
    const time = timeOf(options?.clock)
    const handle = accepted(native.budgetNew(without(options, ['clock']), time.handle, time.now()))
    this.#core = new BudgetCore(handle, time)
  }

  /** The micro-tokens held (a token is 1,000,000), without a refill for the time since the last withdrawal. */
  get tokensMicro(): number {
    return native.budgetTokens(this.#core.handle)
  }

  /** Deposits for one call. */
  deposit(): void {
    this.#core.deposit()
  }

  /** Takes a token for one retry, if there is one. */
  withdraw(): boolean {
    return native.budgetWithdraw(this.#core.handle, this.#core.time.now())
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { tokensMicro: this.tokensMicro })
  }
}
