/**
 * One guarded call, as long as nothing is wrong: it enters while the breaker is closed, and the success of its
 * first attempt is counted in place. Whatever else happens, `Running` goes on with it.
 *
 * All that such a call runs is small enough for the compiler to make one function of it, which is a tenth of what it
 * costs. So what is rare stands in functions of its own, and fields on the way are `private` rather than `#`, which
 * takes twice the code.
 *
 * INVARIANT: what a call comes to is the same on both ways.
 */
import type { AsyncResource } from 'node:async_hooks'
import { Attempt, type Context, type Maker } from './attempt.js'
import type { CallOptions } from './callers.js'
import type { GuardCore } from './guard-core.js'
import { tell } from './hearing.js'
import { Running, scope } from './running.js'
import { uncallable } from './wrap.js'

type Fn<T> = (context: Context) => T
type Resolve<T> = (value: Awaited<T>) => void
type Reject = (reason: unknown) => void

/** Calls `fn` under a guard, in an attempt of an `outer` one if there is such. */
export function run<T>(
  guard: GuardCore,
  fn: Fn<T>,
  options: CallOptions | undefined,
  outer?: Attempt,
): Promise<Awaited<T>> {
  if (typeof fn !== 'function') return uncallable()
  if (options !== undefined || outer !== undefined) return runFor(guard, fn, options, outer)
  return new Promise((resolve, reject) => begin(guard, fn, resolve, reject))
}

/** Calls it for a caller that may end it, or that gave something else. */
function runFor<T>(
  guard: GuardCore,
  fn: Fn<T>,
  options: CallOptions | undefined,
  outer: Attempt | undefined,
): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => new Running(guard, fn, resolve, reject).start(options, outer))
}

/** Begins a call that its caller cannot end. */
function begin<T>(guard: GuardCore, fn: Fn<T>, resolve: Resolve<T>, reject: Reject): void {
  const started = guard.started()
  const epoch = guard.enter()
  if (epoch < 0) return beginElsewhere(guard, fn, resolve, reject, started)
  const first = new First(guard, fn, resolve, reject, started, epoch)
  const { attempt } = first
  guard.calls.underway++
  guard.deadlines.add(attempt)
  // Bound, they cost less than closures, each of which looks for its code when it is first called.
  attempt.make(fn, first.returned.bind(first), first.raised.bind(first))
}

/** Begins one that did not enter. */
function beginElsewhere<T>(guard: GuardCore, fn: Fn<T>, resolve: Resolve<T>, reject: Reject, now: number): void {
  const { closed } = guard.calls
  if (closed !== undefined) reject(closed)
  else new Running(guard, fn, resolve, reject).begin(now)
}

/** A call that has entered and whose first attempt runs: all that is made of it while nothing is wrong. */
class First<T> implements Maker {
  readonly attempt: Attempt
  private readonly scope: AsyncResource | undefined
  private running: Running<T> | undefined = undefined

  constructor(
    readonly guard: GuardCore,
    private readonly fn: Fn<T>,
    private readonly resolve: Resolve<T>,
    private readonly reject: Reject,
    private readonly started: number,
    private readonly epoch: number,
  ) {
    this.scope = guard.isBounded ? scope() : undefined
    this.attempt = new Attempt(this, 1, started + guard.limit)
  }

  call(): Running<T> {
    if (this.running === undefined) {
      this.running = new Running(this.guard, this.fn, this.resolve, this.reject)
      this.running.adopt(this.attempt, this.epoch, this.started, this.scope)
    }
    return this.running
  }

  returned(value: unknown): void {
    const { guard, attempt } = this
    if (this.running !== undefined || !guard.trustsValues) return this.call().returned(attempt, value)
    const now = guard.ended()
    if (now >= attempt.due) return this.call().returned(attempt, value)
    attempt.queue!.delete(attempt)
    const quick = guard.succeeded(this.epoch, this.started, now)
    guard.calls.ended()
    this.resolve(value as Awaited<T>)
    if (!quick) tell()
  }

  raised(error: unknown): void {
    this.call().raised(this.attempt, error)
  }
}
