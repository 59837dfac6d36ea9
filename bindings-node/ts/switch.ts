/**
 * Switches of the whole thread: `instant` and `disabled` for tests, which `testing.ts` hands out, and `traced`.
 *
 * | switch | while it is on |
 * | --- | --- |
 * | instant | a call that begins does not wait; what it would have waited counts as time that has passed for it alone |
 * | disabled | a call that begins goes straight through: neither the core nor a hook is asked |
 * | traced | a call that begins tells the tracer of its attempts |
 *
 * INVARIANT: a call keeps to what was so when it began, so turning a switch never splits a call.
 */

/** How many switches are on. Every call looks at it. */
export let on = 0

export class Switch {
  /** How often it was turned on and not off again: what turns it on may nest and overlap. */
  #times = 0

  get isOn(): boolean {
    return this.#times !== 0
  }

  /** Turns it on; answers how to turn it off again, which works once. */
  turnOn(): () => void {
    this.#times++
    on++
    let mine = 1
    return () => {
      this.#times -= mine
      on -= mine
      mine = 0
    }
  }
}

export const instant = new Switch()
export const disabled = new Switch()
export const traced = new Switch()
