/**
 * Spans by OpenTelemetry: one for each attempt, with what was decided about it. The metrics are in `otel-metrics`.
 *
 * INVARIANT: whatever the API, the SDK or an exporter throws is reported once, and changes nothing.
 */
import {
  SpanKind,
  SpanStatusCode,
  context as contexts,
  createTraceState,
  isSpanContextValid,
  propagation,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer as OpenTelemetryTracer,
  type TracerProvider,
} from '@opentelemetry/api'
import { refuse } from './errors.js'
import { native } from './native.js'
import { only } from './options.js'
import { Reporter } from './report.js'
import { traced } from './switch.js'
import { set } from './trace-context.js'
import { traceBy, tracer, type Admitting, type AttemptSpan, type Ending, type Tracer } from './tracer.js'

export { Metering, instrumentMetrics, type InstrumentMetricsOptions } from './otel-metrics.js'

/** What can be set of the spans. */
export interface InstrumentOptions {
  /** Who makes the spans; the global one by default. */
  readonly tracerProvider?: TracerProvider | undefined
  /**
   * Whether the adapters of HTTP clients and gRPC send the span's context with each attempt, by the propagator of the
   * API; `true` by default. `false` where the client is instrumented itself and would send it a second time.
   */
  readonly propagate?: boolean | undefined
}

type Fields = { readonly [name: string]: unknown }

/** What an error, or a value that is a failure, is called where it is counted: the core chooses. */
function typeOf(result: unknown): string {
  try {
    const { status, statusCode, response } = (result ?? {}) as Fields
    const statuses = [status, statusCode, (response as Fields | null | undefined)?.['status']]
    const number = statuses.find(status => Number.isInteger(status)) as number | undefined
    if (isError(result)) return native.errorType(number, codeOf(result), classOf(result))
    return native.errorType(number, undefined, undefined)
  } catch {
    return native.errorType(undefined, undefined, undefined)
  }
}

/** Whether it is an error, of whatever realm. */
function isError(result: unknown): result is Error & Fields {
  try {
    return result instanceof Error || Object.prototype.toString.call(result) === '[object Error]'
  } catch {
    // A proxy that nobody may look into.
    return false
  }
}

/** The code that an error carries: a text; of gRPC the number of its status. */
function codeOf(error: Fields): string | number | undefined {
  const { code } = error
  if (typeof code === 'string') return code
  return Number.isInteger(code) && 'metadata' in error && 'details' in error ? (code as number) >>> 0 : undefined
}

/** The class of an error: what it calls itself, unless that is what all are called. */
function classOf({ name, constructor }: Error): string {
  return typeof name === 'string' && name !== '' && name !== 'Error' ? name : constructor.name
}

/** Adds what was decided just now to a span. */
function tell(span: Span): void {
  if (native.told() === 0) return
  const told = native.takeTold()
  for (let index = 0; index < told.length; index += 2)
    span.addEvent(told[index] as string, told[index + 1] as Attributes)
}

class Spanned implements AttemptSpan {
  readonly ids: SpanContext

  constructor(
    readonly span: Span,
    readonly context: Context,
    readonly reporter: Reporter,
  ) {
    this.ids = span.spanContext()
  }

  run<T>(fn: () => T): T {
    let came: (() => T) | undefined
    const once = () => {
      try {
        const value = fn()
        came = () => value
      } catch (error) {
        came = () => {
          throw error
        }
      }
    }
    this.reporter.attempt('the context manager', () => contexts.with(this.context, once))
    // It may have thrown before it ran anything.
    if (came === undefined) once()
    return came!()
  }

  end(ending: Ending, result: unknown): void {
    const { span, reporter } = this
    reporter.attempt('the span', () => {
      tell(span)
      span.setAttribute('overcurrent.outcome', ending)
      const isTimeout = ending === 'timeout'
      const isFailed = isTimeout || ending === 'failure'
      if (isFailed) span.setStatus({ code: SpanStatusCode.ERROR })
      if (isFailed || (ending === 'ignored' && isError(result)))
        span.setAttribute('error.type', isTimeout ? (result as { readonly code: string }).code : typeOf(result))
    })
    reporter.attempt('the span', () => span.end())
  }
}

class Spans implements Tracer {
  readonly #reporter = new Reporter('OVERCURRENT_TRACER')
  readonly #tracer: OpenTelemetryTracer
  readonly #propagates: boolean

  constructor(provider: TracerProvider, propagates: boolean) {
    this.#tracer = provider.getTracer('overcurrent', native.version())
    this.#propagates = propagates
  }

  active(): SpanContext | undefined {
    return this.#trying(() => {
      const ids = trace.getSpanContext(contexts.active())
      return ids !== undefined && isSpanContextValid(ids) ? ids : undefined
    })
  }

  begin(guard: string | undefined, breaker: Admitting | undefined, attempt: number): Spanned | undefined {
    return this.#trying(() => {
      const parent = this.#parent()
      const attributes: Attributes = { 'overcurrent.attempt': attempt }
      if (guard !== undefined) attributes['overcurrent.guard'] = guard
      if (breaker !== undefined) {
        attributes['overcurrent.breaker'] = breaker.name
        attributes['overcurrent.breaker.state'] = native.breakerState(breaker.handle)
      }
      if (attempt > 1) attributes['http.request.resend_count'] = attempt - 1
      const name = `${guard ?? breaker?.name ?? 'retry'} attempt`
      const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent)
      return new Spanned(span, trace.setSpan(parent, span), this.#reporter)
    })
  }

  decided(): void {
    this.#trying(() => {
      const span = trace.getActiveSpan()
      if (span !== undefined) tell(span)
    })
  }

  headers(): [string, string][] {
    const carrier: Record<string, string> = {}
    if (this.#propagates) this.#trying(() => propagation.inject(contexts.active(), carrier))
    return Object.entries(carrier)
  }

  /** What is active; where no span is, with the one that a request came with. */
  #parent(): Context {
    const active = contexts.active()
    if (trace.getSpan(active) !== undefined) return active
    const { traceId, spanId, sampled, random, tracestate } = set() ?? {}
    if (traceId === undefined || spanId === undefined) return active
    const remote = { traceId, spanId, traceFlags: Number(sampled) + 2 * Number(random), isRemote: true }
    const state = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }
    return trace.setSpanContext(active, { ...remote, ...state })
  }

  #trying<T>(run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      this.#reporter.report('the tracer', error)
      return undefined
    }
  }
}

/** Makes spans until it is closed, as `using` does at the end of a block. */
export class Instrumentation {
  readonly #spans: Tracer
  readonly #turnOff = traced.turnOn()

  /** @internal */
  constructor(provider: TracerProvider, propagates: boolean) {
    this.#spans = new Spans(provider, propagates)
    native.trace(true)
    traceBy(this.#spans)
  }

  /** Makes no more spans. Attempts that have one keep it to their end. */
  close(): void {
    this.#turnOff()
    if (tracer !== this.#spans) return
    traceBy(undefined)
    native.trace(false)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Has a span made of each attempt of a guard, of a breaker or a retry alone, until it is closed: a child of the caller's,
 * active while the function of the attempt runs, and named after the guard, else the breaker (`payments attempt`), else
 * `retry attempt`. What is decided is added to it as events; where no
 * attempt runs (a rejection, say) to the span that is active then. The events and log lines of a call carry the
 * identifiers of these spans.
 *
 * A thread is traced once at a time. While it is, no call takes the healthy path.
 *
 * @param options `tracerProvider`, who makes the spans; `propagate`, whether adapters send their context
 * @throws InvalidPolicy naming the option, the value and the rule it breaks; an error where the thread is traced already
 *
 * @example
 * const tracing = instrument()
 * tracing.close()
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  const { tracerProvider, propagate = true } = only('options', options, ['tracerProvider', 'propagate'])
  const provider = tracerProvider ?? trace.getTracerProvider()
  if (typeof provider?.getTracer !== 'function') refuse('tracerProvider', provider, 'must have a method `getTracer`')
  if (tracer !== undefined) throw new Error('calls are traced already, close that first')
  if (typeof propagate !== 'boolean') refuse('propagate', propagate, 'must be true or false')
  return new Instrumentation(provider, propagate)
}
