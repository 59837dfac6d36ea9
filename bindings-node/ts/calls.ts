/**
 * The calls of one guard that are under way: how many there are, who waits for their end, and whether more
 * may begin.
 */
import type { Cancellable } from './callers.js'

export class Calls {
  /** How many are under way. */
  underway = 0
  /** Those of them that wait. The others have an attempt running. */
  readonly waiting = new Set<Cancellable>()
  /** Why none begins any more. */
  closed: Error | undefined = undefined
  readonly #drains: (() => void)[] = []

  /** One has ended. */
  ended(): void {
    if (--this.underway === 0 && this.#drains.length > 0) for (const end of this.#drains.splice(0)) end()
  }

  /** Resolves as soon as none is under way. */
  drained(): Promise<void> {
    return new Promise(resolve => (this.underway === 0 ? resolve() : void this.#drains.push(resolve)))
  }
}
