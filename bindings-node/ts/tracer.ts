/**
 * Who is told when attempts begin and end, to make spans of them; nobody, unless somebody asks for it.
 *
 * INVARIANT: a tracer throws nothing, and has no say in any decision.
 */

/** A span, as far as it is named elsewhere. */
export interface Ids {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

/** How an attempt ended: the words of the core. */
export type Ending = 'success' | 'failure' | 'timeout' | 'ignored' | 'cancelled'

/** A breaker: its name and its handle. */
export interface Admitting {
  readonly name: string
  readonly handle: number
}

/** The span of one attempt. */
export interface AttemptSpan {
  readonly ids: Ids
  /** Runs the function of the attempt, in the span. */
  run<T>(fn: () => T): T
  /** The attempt has ended, with a value or an error; what was decided about it was decided just now. */
  end(ending: Ending, result?: unknown): void
}

export interface Tracer {
  /** The span that is active here. */
  active(): Ids | undefined
  /** Begins an attempt, numbered from 1, of a guard or of what is alone, which the breaker, if there is one, has admitted. */
  begin(guard: string | undefined, breaker: Admitting | undefined, attempt: number): AttemptSpan | undefined
  /** Something was decided, about what is active here. */
  decided(): void
  /** The headers that carry what is active here on. */
  headers(): readonly (readonly [name: string, value: string])[]
}

/** The tracer of this thread. */
export let tracer: Tracer | undefined

/** Has a tracer told of what begins from now on. */
export function traceBy(next: Tracer | undefined): void {
  tracer = next
}
