/**
 * Guards around guards.
 */
import type { Attempt, Context } from './attempt.js'
import type { CallOptions } from './callers.js'
import { refuse } from './errors.js'
import { Guard, surroundings } from './guard.js'
import { INSPECT, shownAs } from './inspect.js'
import { run } from './run.js'
import { callable, wrapped } from './wrap.js'

/** Several guards as one: each attempt of one is a call of the next. */
export class Composed {
  readonly #guards: readonly Guard[]

  /** @internal */
  constructor(guards: readonly unknown[]) {
    this.#guards = guards.flatMap((guard, index) => {
      if (guard instanceof Composed) return guard.#guards
      return guard instanceof Guard ? guard : refuse(`guards[${index}]`, guard, 'must be a `Guard`')
    })
  }

  /**
   * Calls `fn` under all of the guards.
   * @throws what `call` of a guard throws; which one, the error's `breaker` or message says
   */
  async call<T>(fn: (context: Context) => T, options?: CallOptions): Promise<Awaited<T>> {
    callable(fn)
    return this.#call(0, fn, options, undefined)
  }

  #call<T>(
    index: number,
    fn: (context: Context) => T,
    options: CallOptions | undefined,
    outer: Attempt | undefined,
  ): Promise<Awaited<T>> {
    const inner = index + 1
    const guard = surroundings(this.#guards[index]!)
    if (inner === this.#guards.length) return run(guard, fn, options, outer)
    const attempt = (context: Context) => this.#call(inner, fn, undefined, context as Attempt)
    return run(guard, attempt, options, outer) as Promise<Awaited<T>>
  }

  /** `fn` under all of the guards, with its parameters, its result and its `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T,
  ): (this: This, ...args: Args) => Promise<Awaited<T>> {
    return wrapped(fn, run => this.call(run))
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { guards: this.#guards })
  }
}

/**
 * Puts guards around each other, the outermost first: each attempt of one is a call of the next. The inner
 * call ends when the outer attempt does, with its reason; `remaining` is the least of all, and the
 * idempotency key is the same all the way through. A rejection by an inner guard's breaker is no failure of
 * the outer dependency, and not retried.
 *
 * @example
 * const region = new Guard('region', { attemptTimeout: '2s' })
 * const service = new Guard('service', { retry: { maxAttempts: 5 } })
 * const both = compose(region, service)
 * const answer = await both.call(({ signal }) => fetch(url, { signal }))
 * @throws InvalidPolicy where one of them is no guard
 */
export function compose(outer: Guard | Composed, inner: Guard | Composed, ...more: (Guard | Composed)[]): Composed {
  return new Composed([outer, inner, ...more])
}
