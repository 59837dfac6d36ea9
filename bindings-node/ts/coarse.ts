/**
 * A clock for what is asked at every call and need not be exact: where calls come thick, one reading serves
 * several of them.
 *
 * | the reading before | a reading serves |
 * | --- | --- |
 * | is 1 ms old or older | one call |
 * | is younger | 32 calls, but none after a timer has seen that 10 ms are over |
 *
 * INVARIANT: it is never ahead of the clock that it reads. It is behind by 10 ms at most; by more only where the
 * event loop was held up, and then for no more than 31 calls.
 */

/** How far it may be behind, in ns. */
export const GRAIN = 10e6

const THICK = 1e6
const SERVES = 32

export class CoarseClock {
  readonly #now: () => number
  readonly #after: (run: () => void, ms: number) => void
  private last = -Infinity
  /** How many calls the last reading serves yet. */
  private left = 0
  #armed = false

  /** Reads `now`, in ns, and has `after` run something after so many ms. */
  constructor(now: () => number, after: (run: () => void, ms: number) => void) {
    this.#now = now
    this.#after = after
  }

  now(): number {
    return this.left-- > 0 ? this.last : this.read()
  }

  private read(): number {
    const now = this.#now()
    this.left = 0
    if (now - this.last < THICK) {
      this.left = SERVES - 1
      if (!this.#armed) {
        this.#armed = true
        this.#after(this.#expire, GRAIN / 1e6)
      }
    }
    this.last = now
    return now
  }

  readonly #expire = (): void => {
    this.#armed = false
    this.left = 0
  }
}
