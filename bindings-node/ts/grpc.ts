/**
 * A client interceptor for gRPC. Calls with one request and one response go through guards, each target's own;
 * streams pass untouched.
 */
import {
  InterceptingCall,
  Metadata,
  status as STATUS,
  type InterceptingListener,
  type Interceptor,
  type InterceptorOptions,
  type StatusObject,
} from '@grpc/grpc-js'
import { Carrier } from './adapters/carrier.js'
import { Guards, type GuardsOptions } from './adapters/guards.js'
import type { Context } from './attempt.js'
import { LONGEST } from './deadlines.js'
import { AttemptTimeout, BreakerOpen, DeadlineExceeded, quietly, refuse } from './errors.js'
import { under, type Guard } from './guard.js'
import { IGNORED, type Result, type Rules } from './judge.js'
import { native, type Meaning } from './native.js'
import { run } from './run.js'

/** What a guarded client can be given. */
export type GrpcOptions = GuardsOptions & {
  /**
   * The methods that may be called more than once, by their full names (`/shop.Orders/Get`), or a predicate of such a
   * name. The others are called once; all of them by default.
   */
  readonly idempotent?: Iterable<string> | ((method: string) => boolean) | undefined
}

type NextCall = Parameters<Interceptor>[1]
type Call = ReturnType<NextCall>
type MessageContext = Parameters<Call['sendMessageWithContext']>[0]

const PUSHBACK = native.grpcPushback()

/** What a call came to. */
interface Reply {
  readonly metadata: Metadata | undefined
  readonly message: unknown
  readonly status: StatusObject
}

/** A status that is not OK, for the hooks of a guard: an error as grpc-js makes it. */
class Failed extends Error {
  readonly code: number
  readonly details: string
  readonly metadata: Metadata

  constructor(readonly reply: Reply) {
    const { code, details, metadata } = reply.status
    super(`${code} ${STATUS[code]}: ${details}`)
    this.code = code
    this.details = details
    this.metadata = metadata
  }
}
// Its hooks need no more of it.
Object.defineProperty(Failed.prototype, 'name', { value: 'Error' })

/** How the attempts of one call are judged. */
class CallRules implements Rules {
  /** When the caller wants to know at the latest, in ms since 1970. */
  readonly deadline: number

  constructor(
    readonly repeatable: boolean,
    { deadline }: InterceptorOptions,
  ) {
    this.deadline = Number(deadline ?? Infinity)
  }

  /** Whether the caller's deadline is over, or will be before anything else is tried. */
  get isOver(): boolean {
    return Date.now() + 1 >= this.deadline
  }

  meaning({ value, error }: Result): Meaning {
    const reply = error instanceof Failed ? error.reply : (value as Reply | undefined)
    if (reply === undefined) return { verdict: IGNORED }
    const [pushback] = reply.status.metadata.get(PUSHBACK)
    return native.grpcVerdict(reply.status.code, pushback?.toString(), this.repeatable && !this.isOver)
  }

  discard(): void {
    // A response has come whole.
  }
}

/** Whether it is the end of the caller's own deadline. */
function isTooLate(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === 'TimeoutError'
}

/** The status of a call that the guard ended; the error is its `cause`. */
function ended(cause: unknown): StatusObject {
  const late = cause instanceof AttemptTimeout || cause instanceof DeadlineExceeded || isTooLate(cause)
  const code = cause instanceof BreakerOpen ? STATUS.UNAVAILABLE : late ? STATUS.DEADLINE_EXCEEDED : STATUS.CANCELLED
  const details = cause instanceof Error ? cause.message : String(cause)
  // The client copies it onto the error that the caller gets.
  return Object.assign({ code, details, metadata: new Metadata() }, { cause })
}

/** The sooner of two ends: what the caller gave, and what remains of an attempt. */
function sooner(deadline: number, remaining = Infinity): number {
  return Math.min(Date.now() + remaining, deadline)
}

/** One call of a client: it is made once all of the request is there, as often as the guard says. */
class GuardedCall implements Call {
  readonly #caller = new AbortController()
  #metadata = new Metadata()
  #listener: Partial<InterceptingListener> = {}
  #context: MessageContext = {}
  #message: unknown = undefined
  #attempt: Call | undefined = undefined
  #isRunning = false
  #timer: NodeJS.Timeout | undefined = undefined

  constructor(
    readonly options: InterceptorOptions,
    readonly next: NextCall,
    readonly guard: () => Guard,
    readonly rules: CallRules,
  ) {}

  start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    this.#metadata = metadata
    this.#listener = listener
  }

  sendMessageWithContext(context: MessageContext, message: unknown): void {
    this.#context = context
    this.#message = message
  }

  sendMessage(message: unknown): void {
    this.sendMessageWithContext({}, message)
  }

  startRead(): void {
    // Each attempt reads its one response.
  }

  halfClose(): void {
    const made = async () =>
      run(under(this.guard(), this.rules), context => this.#send(context), { signal: this.#caller.signal })
    this.#watch()
    made().then(
      reply => this.#tell(reply),
      (error: unknown) => {
        if (error instanceof Failed) this.#tell(error.reply)
        else this.#tell({ metadata: undefined, message: undefined, status: ended(error) })
      },
    )
  }

  /** Ends the call at the caller's deadline, unless an attempt is running: grpc-js ends that, and it counts. */
  #watch(): void {
    const left = this.rules.deadline - Date.now()
    if (left <= 0) this.#tooLate()
    else if (left <= LONGEST) this.#timer = setTimeout(() => this.#isRunning || this.#tooLate(), left).unref?.()
  }

  #tooLate(): void {
    this.#caller.abort(quietly(() => new DOMException('the deadline of the call is over', 'TimeoutError')))
  }

  cancelWithStatus(_status: number, details: string): void {
    this.#caller.abort(quietly(() => new DOMException(details, 'AbortError')))
  }

  getPeer(): string {
    return this.#attempt?.getPeer() ?? 'unknown'
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#attempt?.getAuthContext() ?? null
  }

  #send({ signal, remaining }: Context): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const call = this.next({ ...this.options, deadline: sooner(this.rules.deadline, remaining) })
      this.#attempt = call
      this.#isRunning = true
      const cancel = () => call.cancelWithStatus(STATUS.CANCELLED, 'the attempt was given up')
      let head: Metadata | undefined
      let message: unknown
      const metadata = this.#metadata.clone()
      new Carrier(name => this.#metadata.get(name).length > 0).add((name, value) => metadata.set(name, value))
      call.start(metadata, {
        onReceiveMetadata: received => void (head = received),
        onReceiveMessage: received => void (message = received),
        onReceiveStatus: status => {
          signal.removeEventListener('abort', cancel)
          this.#isRunning = false
          // A hook may want it tried again: there is no time for that.
          if (this.rules.isOver) setImmediate(() => this.#tooLate())
          const reply = { metadata: head, message, status }
          if (status.code === STATUS.OK) resolve(reply)
          else reject(quietly(() => new Failed(reply)))
        },
      })
      signal.addEventListener('abort', cancel)
      call.sendMessageWithContext(this.#context, this.#message)
      call.halfClose()
    })
  }

  #tell({ metadata, message, status }: Reply): void {
    clearTimeout(this.#timer)
    const listener = this.#listener
    if (metadata !== undefined) listener.onReceiveMetadata?.(metadata)
    if (message !== undefined) listener.onReceiveMessage?.(message)
    listener.onReceiveStatus?.(status)
  }
}

/**
 * An interceptor whose calls go through guards, one for each target.
 *
 * A protocol buffer does not tell which methods may be repeated; what is not named is called once. The call's
 * deadline is cut to what remains of an attempt, so the server learns of it too; it ends a wait as well.
 * `grpc-retry-pushback-ms` is heeded.
 * The last status comes back as it is. Where the guard itself ends a call, its status is UNAVAILABLE (`BreakerOpen`),
 * DEADLINE_EXCEEDED (a timeout of the guard's) or CANCELLED, and the error's `cause` is the guard's.
 *
 * @param target what the guard is kept under: the address that the client is given
 * @param options the policy of each guard, or `guards`; `idempotent`, the methods that may be repeated
 * @throws InvalidPolicy naming the option, the value and the rule it breaks
 *
 * @example
 * const interceptors = [guardInterceptor(target, { idempotent: ['/shop.Orders/Get'], attemptTimeout: '2s' })]
 * const client = new Orders(target, credentials, { interceptors })
 */
export function guardInterceptor(target: string, options: GrpcOptions = {}): Interceptor {
  if (typeof target !== 'string') refuse('target', target, 'must be a text')
  const { idempotent = [] } = options
  const isPredicate = typeof idempotent === 'function'
  if (!isPredicate && (typeof idempotent === 'string' || typeof idempotent?.[Symbol.iterator] !== 'function'))
    refuse('idempotent', idempotent, 'must be names of methods or a predicate')
  const guards = new Guards(options, ['idempotent'])
  const names = isPredicate ? undefined : new Set(idempotent)
  const isIdempotent = (method: string) => names?.has(method) ?? (isPredicate && Boolean(idempotent(method)))

  return (call, next) => {
    const { requestStream, responseStream, path } = call.method_definition
    if (requestStream || responseStream) return new InterceptingCall(next(call))
    const rules = new CallRules(isIdempotent(path), call)
    return new InterceptingCall(new GuardedCall(call, next, () => guards.guard(() => target), rules))
  }
}
