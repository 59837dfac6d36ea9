/** Waits without jitter and a budget, as the docs describe them. Times are nanoseconds, as bigints. */
import { ms } from './breaker_model.mjs'

const least = (one, other) => (one < other ? one : other)

/** The wait after the k-th failure, from 1. Durations in `backoff` are milliseconds. */
export function base(backoff, k) {
  if (backoff === 'none') return 0n
  const [[shape, it]] = Object.entries(backoff)
  switch (shape) {
    case 'constant':
      return ms(it.delay)
    case 'linear':
      return least(ms(it.max), ms(it.initial) + BigInt(k - 1) * ms(it.step))
    case 'schedule':
      return ms(it.delays[Math.min(k, it.delays.length) - 1])
    case 'exponential': {
      let wait = ms(it.initial)
      for (let step = 1; step < k; step++) wait = least(ms(it.max), wait * 2n)
      return wait
    }
  }
  throw new Error(`no backoff \`${shape}\``)
}

/** Counts in millionths of a token. */
export class BudgetModel {
  #ratio
  #perMilli
  #burst
  #refilled = 0n
  tokens

  constructor({ ratio = 0.2, minPerSecond = 1, burst = 10 }) {
    this.#ratio = BigInt(Math.round(ratio * 1e6))
    this.#perMilli = BigInt(Math.round(minPerSecond * 1e3))
    this.#burst = BigInt(burst) * 1_000_000n
    this.tokens = this.#burst
  }

  deposit() {
    this.tokens = least(this.tokens + this.#ratio, this.#burst)
  }

  withdraw(now) {
    const millis = now / 1_000_000n
    if (millis > this.#refilled) {
      this.tokens = least(this.tokens + (millis - this.#refilled) * this.#perMilli, this.#burst)
      this.#refilled = millis
    }
    if (this.tokens < 1_000_000n) return false
    this.tokens -= 1_000_000n
    return true
  }
}
