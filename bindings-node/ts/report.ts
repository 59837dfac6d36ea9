/**
 * What the user's own functions did wrong: said once, and without a say in any decision.
 */

/** Reports the failures of one user's functions, the first one. */
export class Reporter {
  #reported = false

  constructor(readonly code: 'OVERCURRENT_HOOK' | 'OVERCURRENT_LISTENER' | 'OVERCURRENT_LOGGER' | 'OVERCURRENT_TRACER') {}

  /** Calls a user's function, `what`, which can do no harm. */
  attempt(what: string, call: () => unknown): void {
    const failed = (error: unknown) => this.report(what, error)
    try {
      const answer = call()
      // It may be asynchronous, though nobody waits for it.
      if (answer instanceof Promise) answer.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** `what` has failed with `error`. */
  report(what: string, error: unknown): void {
    if (this.#reported) return
    this.#reported = true
    process.emitWarning(`${what} failed and is passed over: ${message(error)}`, {
      type: 'OvercurrentWarning',
      code: this.code,
    })
  }
}

/** What an error says; it may be anything, also what has no text. */
function message(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : shown(error))
  } catch {
    return 'what it threw has no text'
  }
}

/** A value as text. */
export function shown(value: unknown): string {
  return value !== null && typeof value === 'object' && 'then' in value ? 'a promise' : String(value)
}
