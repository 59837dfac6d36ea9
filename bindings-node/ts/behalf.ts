/**
 * On whose behalf the next decision is made: said to the core before each that may be told of, and to servers with each
 * attempt of an adapter.
 *
 * INVARIANT: where nobody has ever run anything on behalf of a context, and nothing is traced, nothing is looked for.
 */
import { native } from './native.js'
import { entered, handleOf, set, type TraceContext } from './trace-context.js'
import { tracer, type AttemptSpan } from './tracer.js'

/** Whether the core was told of somebody. */
let named = false

/** Whether decisions may be on somebody's behalf. */
export function isAsked(): boolean {
  return entered || tracer !== undefined
}

/** Says on whose behalf the decision is made that comes next: of an attempt with a span, or of what is active here. */
export function speak(attempt?: AttemptSpan): void {
  const context = set()
  const span = attempt?.ids ?? tracer?.active()
  if (span !== undefined) native.behalfOfSpan(span.traceId, span.spanId, span.traceFlags, handle(context))
  else if (context !== undefined) native.behalf(handleOf(context))
  else if (named) native.behalf(NaN)
  named = span !== undefined || context !== undefined
}

function handle(context: TraceContext | undefined): number | undefined {
  return context && handleOf(context)
}

/**
 * The headers by which the server of an attempt learns on whose behalf it is made: of the span that is active in a
 * tracer, else of a span of its own in the context that was set.
 */
export function carried(): readonly (readonly [name: string, value: string])[] {
  const context = set()
  if (tracer === undefined) return context === undefined ? [] : [...context.child().headers()]
  const headers = tracer.headers()
  if (context === undefined) return headers
  // The trace is the tracer's to tell of; whoever passes on the rest has a say first.
  const rest = [...context.headers()].filter(([name]) => !name.startsWith('trace') && !headers.some(([other]) => other === name))
  return [...headers, ...rest]
}
