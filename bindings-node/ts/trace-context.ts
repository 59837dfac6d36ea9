/**
 * On whose behalf calls are made: W3C Trace Context, baggage and a correlation id. What is valid is the core's to say.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { accepted, refuse } from './errors.js'
import { INSPECT } from './inspect.js'
import { native, own, type TraceFacts } from './native.js'
import { only } from './options.js'
import { tracer } from './tracer.js'

/** Headers as frameworks have them: by name, or as names and values. */
export type IncomingHeaders =
  | Iterable<readonly [name: string, value: string]>
  | { readonly [name: string]: string | readonly string[] | number | undefined }

/** Where headers are written: what has a method `set`, as `Headers` and `Map` do, or an object. */
export type OutgoingHeaders = { set(name: string, value: string): unknown } | { [name: string]: unknown }

/** What a new trace begins with. */
export interface RootOptions {
  /**
   * Whether it is to be recorded; `true` by default. Tracers mostly do as the beginning of a trace says, so of one that is
   * not sampled they record nothing.
   */
  readonly sampled?: boolean | undefined
}

function isSampled(options: RootOptions = {}): boolean {
  const { sampled = true } = only('options', options, ['sampled'])
  return typeof sampled === 'boolean' ? sampled : refuse('sampled', sampled, 'must be true or false')
}

const NAMES = native.traceHeaders()
const store = new AsyncLocalStorage<TraceContext>()

/** Whether any code was ever run on behalf of a context, in this thread. */
export let entered = false

/** The handle of a context. */
export let handleOf: (context: TraceContext) => number

/** The context that was set here, whatever is being traced. */
export function set(): TraceContext | undefined {
  return store.getStore()
}

/** A context of the native one of a handle. */
let made: (handle: number) => TraceContext

/**
 * On whose behalf a call is made: a trace and a span in it, a correlation id, and what travels with them. Each of them
 * may be missing. It comes with a request, in headers; every event and every log line of the calls that are made for that
 * request carries its identifiers; and it goes on, in headers again, with what these calls send.
 *
 * It never changes: what changes something gives another one.
 *
 * @example
 * const context = TraceContext.extract(request.headers)
 * await context.run(() => payments.call(pay))
 */
export class TraceContext {
  readonly #handle: number
  #known: TraceFacts | undefined = undefined

  static {
    handleOf = context => context.#handle
    made = handle => new TraceContext(handle)
  }

  private constructor(handle: number) {
    this.#handle = own(this, handle)
  }

  /**
   * What the headers of a request say: `traceparent`, `tracestate`, `baggage` and `x-correlation-id`. What is invalid is
   * ignored; there may be nothing left.
   *
   * @param headers an object by name, as Node has them, or `Headers`, a `Map` or another iterable of pairs
   */
  static extract(headers: IncomingHeaders): TraceContext {
    if (typeof headers !== 'object' || headers === null) refuse('headers', headers, 'must be headers')
    const pairs = Symbol.iterator in headers ? (headers as Iterable<readonly [string, unknown]>) : Object.entries(headers)
    const values: string[][] = NAMES.map(() => [])
    for (const [name, value] of pairs) {
      const place = NAMES.indexOf(String(name).toLowerCase())
      if (place >= 0 && value != null) values[place]!.push(...[value].flat().map(String))
    }
    return made(native.traceExtract(values))
  }

  /**
   * A new trace, of random bytes.
   * @param options `sampled`, whether it is to be recorded
   * @throws InvalidPolicy where that is neither true nor false
   */
  static root(options?: RootOptions): TraceContext {
    return made(native.traceRoot(undefined, isSampled(options)))
  }

  /**
   * On whose behalf the code here runs: the span that is active in a tracer, where one is told of calls (see
   * `overcurrent/opentelemetry`), else the context it was run by; `undefined` where there is none.
   */
  static current(): TraceContext | undefined {
    const context = store.getStore()
    const span = tracer?.active()
    if (span === undefined) return context
    return made(native.traceSpan(span.traceId, span.spanId, span.traceFlags, context && handleOf(context)))
  }

  /** Runs `fn`, and whatever it begins, on behalf of this context. */
  run<T>(fn: () => T): T {
    if (typeof fn !== 'function') throw new TypeError('a function is needed')
    entered = true
    return store.run(this, fn)
  }

  /** The same where it has a trace; else with a new one, as `root` makes it. */
  orRoot(options?: RootOptions): TraceContext {
    return made(native.traceRoot(this.#handle, isSampled(options)))
  }

  /** The same trace, as seen from a new span of it. The same where it has no trace. */
  child(): TraceContext {
    return made(native.traceChild(this.#handle))
  }

  /**
   * The same with another correlation id.
   * @throws InvalidPolicy where it is not 1 to 128 visible ASCII characters
   */
  withCorrelationId(id: string): TraceContext {
    if (typeof id !== 'string') refuse('correlationId', id, 'must be a text')
    return made(accepted(native.traceCorrelated(this.#handle, id)))
  }

  /**
   * Writes the headers that carry it on, and returns what they were written to.
   * @param headers what has a method `set`, as `Headers` and `Map` do, or an object; a new object by default
   */
  inject(): { [name: string]: string }
  inject<H extends OutgoingHeaders>(headers: H): H
  inject(headers: OutgoingHeaders = {}): OutgoingHeaders {
    for (const [name, value] of this.headers()) {
      if (typeof headers.set === 'function') headers.set(name, value)
      else (headers as Record<string, unknown>)[name] = value
    }
    return headers
  }

  /** The headers that carry it on. */
  *headers(): Generator<readonly [name: string, value: string]> {
    const flat = native.traceInject(this.#handle)
    for (let index = 0; index < flat.length; index += 2) yield [flat[index]!, flat[index + 1]!]
  }

  /** Which trace: 32 hexadecimal digits. */
  get traceId(): string | undefined {
    return this.#facts.traceId
  }

  /** Which span of it, the parent of what is called: 16 hexadecimal digits. */
  get spanId(): string | undefined {
    return this.#facts.spanId
  }

  /** What the request is known by to people and logs. */
  get correlationId(): string | undefined {
    return this.#facts.correlationId
  }

  /** Whether the span may have been recorded. */
  get sampled(): boolean {
    return this.#facts.sampled
  }

  /** Whether the end of the trace's identifier is random. */
  get random(): boolean {
    return this.#facts.random
  }

  /** What tracers say to themselves. */
  get tracestate(): string | undefined {
    return this.#facts.tracestate
  }

  /** What applications say to each other, unread. */
  get baggage(): string | undefined {
    return this.#facts.baggage
  }

  get #facts(): TraceFacts {
    return (this.#known ??= native.traceFacts(this.#handle))
  }

  /** What it says, as plain data: for logs, and to be shown. */
  toJSON(): object {
    return { ...this.#facts }
  }

  /** @internal */
  [INSPECT](): object {
    return this.toJSON()
  }
}
