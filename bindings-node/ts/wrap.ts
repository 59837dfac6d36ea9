/**
 * Functions that run another one under a guard, a breaker or a retry, and what they return.
 */

import type { Result } from './judge.js'

const NEEDED = 'a function is needed'

/** Refuses what is no function. */
export function callable(fn: unknown): void {
  if (typeof fn !== 'function') throw new TypeError(NEEDED)
}

/** What a call of something comes to that is no function. */
export function uncallable(): Promise<never> {
  return Promise.reject(new TypeError(NEEDED))
}

/**
 * A promise whose `then` does nothing but listen: `value` itself, unless somebody has made it do more, as it may throw
 * then.
 */
export function promised<T>(value: Promise<T>): Promise<T> {
  const isPlain = value.then === Promise.prototype.then && value.constructor === Promise
  return isPlain ? value : wrapping(value)
}

function wrapping<T>(value: Promise<T>): Promise<T> {
  return new Promise(resolve => resolve(value))
}

/** Whether it can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}

/**
 * Rejects in a microtask, once whoever is given the promise can have listened: a promise that rejects before is
 * first taken for one that nobody handles, at several times the cost.
 */
export function rejectSoon(reject: (reason: unknown) => void, error: Error): void {
  void Promise.resolve(error).then(reject)
}

/** What a function came to, once its promise has settled. */
export async function cameTo(fn: () => unknown): Promise<Result> {
  try {
    return { value: await fn() }
  } catch (error) {
    return { error }
  }
}

/** `fn` run by `call`, with its parameters, its `this`, its name and its length. */
export function wrapped<This, Args extends unknown[], T>(
  fn: (this: This, ...args: Args) => T,
  call: (run: () => T) => Promise<Awaited<T>>,
): (this: This, ...args: Args) => Promise<Awaited<T>> {
  callable(fn)
  function guarded(this: This, ...args: Args): Promise<Awaited<T>> {
    return call(() => fn.apply(this, args))
  }
  Object.defineProperty(guarded, 'name', { value: fn.name, configurable: true })
  Object.defineProperty(guarded, 'length', { value: fn.length, configurable: true })
  return guarded
}
