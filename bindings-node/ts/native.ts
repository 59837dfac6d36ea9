/**
 * What the addon exports. Everything in it is addressed by handles, which are numbers; hot functions take
 * and give numbers only. What they mean is said in `bindings-node/src`.
 */
import { load } from './addon.js'

/** A policy that the core refused. */
export interface Refused {
  message: string
  path: string
  value: string
  rule: string
}

/** No room in a registry. */
export interface Full {
  message: string
  guard: string
  capacity: number
}

/** What there is to know of an HTTP request. */
export interface HttpRequest {
  method: string
  hasIdempotencyKey: boolean
  hasReplayableBody: boolean
}

/** What a result means: a verdict as a call is told it, and how many ns the server asked to wait. */
export interface Meaning {
  verdict: number
  hint?: number
}

/** What a context says. */
export interface TraceFacts {
  traceId?: string
  spanId?: string
  sampled: boolean
  random: boolean
  tracestate?: string
  baggage?: string
  correlationId?: string
}

/** What a guard is given beside its policy. */
export interface Brought {
  clock: number | undefined
  seed: bigint | undefined
  breaker: number | undefined
  budget: number | undefined
  /** Whether to measure how long calls take. */
  durations: boolean
  /** Whether what it counts is part of the metrics. */
  measured: boolean
  now: number
}

export interface GuardShape {
  handle: number
  breaker?: number
  budget?: number
  limit: number
  durations: boolean
}

export interface BreakerShape {
  name: string
  slow: number
  counts: boolean
  clock: 'exact' | 'coarse' | 'none'
  needsDuration: boolean
}

export interface RetryShape {
  handle: number
  budget?: number
}

/** A limit that was exceeded, in ms, after so many attempts had begun. */
export interface Exceeded {
  message: string
  guard: string
  attempts: number
  limit: number
}

/** What was counted up to one moment; only to be given back. */
export interface Counted {
  readonly counted: unique symbol
}

/** The 32-bit lanes of a breaker's words that JavaScript reads or adds to. */
export interface Lanes {
  position: number
  epoch: number
  consecutive: number
  quick: number
}

interface Native {
  // Hot.
  anchor(ahead: number): number
  heard(): number
  told(): number
  behalf(context: number): number
  enter(guard: number): number
  deposit(budget: number): number
  record(guard: number, epoch: number, outcome: number, started: number, now: number): number
  begin(guard: number, now: number, once: number): number
  adopt(guard: number, epoch: number, started: number, once: number): number
  next(call: number, now: number): number
  settled(call: number, verdict: number, hint: number, now: number): number
  cut(call: number, now: number): number
  cancelled(call: number, now: number): number
  release(handle: number): number
  sleep(call: number, clock: number): number
  payload(): number
  series(retry: number): number
  acquire(breaker: number, now: number): number
  settle(breaker: number, epoch: number, outcome: number, granted: number, took: number, now: number): number
  refusal(): string
  words(handle: number): ArrayBuffer | undefined

  // Cold.
  lanes(): Lanes
  stopReasons(): string[]
  rejectReasons(): string[]
  refusalMessage(path: string, value: string, rule: string): string
  newIdempotencyKey(): string
  spanNanos(span: unknown, name: string): number | Refused
  clockNew(): number
  clockNow(clock: number): bigint
  clockMove(clock: number, by: unknown, set: boolean): Refused | null
  guardNew(name: string, policy: unknown, brought: Brought): GuardShape | Refused
  guardRead(file: string, text: string, name: string, brought: Brought): GuardShape | Refused
  registryNew(name: string | undefined, capacity: unknown, policy: unknown, brought: Brought): number | Refused
  registryRead(
    file: string,
    text: string,
    policy: string,
    name: string | undefined,
    capacity: unknown,
    brought: Brought,
  ): number | Refused
  registryNamed(registry: number, key: string): string
  registryEnter(registry: number, name: string, now: number): GuardShape | Refused | Full
  registryHas(registry: number, name: string): boolean
  registryKeys(registry: number): string[]
  registryExtent(registry: number): { size: number; capacity: number; evictions: number }
  httpRepeatable(request: HttpRequest): boolean
  httpAnswered(request: HttpRequest, status: number, retryAfter: string | undefined, now: number): Meaning
  httpFailed(request: HttpRequest): Meaning
  httpAuthority(scheme: string, host: string, port: number | undefined): string
  httpRetryAfterHeader(wait: unknown): string | Refused
  httpIdempotencyKey(): string
  grpcPushback(): string
  grpcVerdict(status: number, pushback: string | undefined, repeatable: boolean): Meaning
  listen(source: number | undefined, firstRejections: boolean): number
  unlisten(listener: number): void
  takeEvents(): unknown[]
  eventsDropped(listener: number): number
  eventNames(): string[]
  behalfOfSpan(traceId: string, spanId: string, flags: number, context: number | undefined): void
  errorType(status: number | undefined, code: string | number | undefined, name: string | undefined): string
  version(): string
  trace(on: boolean): void
  takeTold(): unknown[]
  traceHeaders(): string[]
  traceExtract(values: string[][]): number
  traceInject(context: number): string[]
  traceFacts(context: number): TraceFacts
  traceSpan(traceId: string, spanId: string, flags: number, context: number | undefined): number
  traceRoot(context: number | undefined, sampled: boolean): number
  traceChild(context: number): number
  traceCorrelated(context: number, id: string): number | Refused
  share(handle: number): string
  unshare(handle: number): void
  guardOf(token: string): GuardShape | null
  breakerOf(token: string): number | null
  callAttemptTimeout(call: number): Exceeded
  callDeadlineExceeded(call: number): Exceeded
  contentTypes(): { prometheus: string; openMetrics: string }
  metrics(source: number | undefined): Counted
  metricsDescribed(): unknown[]
  metricsText(counted: Counted, open: boolean): string
  metricsFamilies(counted: Counted): unknown[]
  explainSource(source: number, now: number): string
  explainOpen(breaker: string, reason: string, retryAfter: number | undefined): string | null
  explainAttempt(guard: string, attempt: number, timeout: number, stop: string | undefined): string
  explainDeadline(guard: string, attempts: number, deadline: number): string
  explainGivenUp(attempts: number, elapsed: number, stop: string | undefined): string
  breakerNew(
    name: string,
    policy: unknown,
    clock: number | undefined,
    seed: bigint | undefined,
    now: number,
  ): number | Refused
  breakerShape(breaker: number, grain: number): BreakerShape
  breakerState(breaker: number): 'closed' | 'open' | 'half_open' | 'forced_open' | 'forced_closed'
  breakerReason(breaker: number): string | null
  breakerLate(breaker: number): number
  breakerRetryAfter(breaker: number, now: number): number | null
  breakerTrip(breaker: number, span: unknown, now: number): Refused | null
  breakerCommand(breaker: number, command: string, now: number): void
  breakerSnapshot(breaker: number, now: number): string
  breakerRestore(breaker: number, json: string, now: number): Refused | null
  budgetNew(policy: unknown, clock: number | undefined, now: number): number | Refused
  budgetCapacity(budget: number): number
  budgetTokens(budget: number): number
  budgetWithdraw(budget: number, now: number): boolean
  retryNew(
    policy: unknown,
    clock: number | undefined,
    seed: bigint | undefined,
    budget: number | undefined,
    now: number,
  ): RetryShape | Refused
  retryStart(retry: number, deadline: unknown, now: number): number | Refused
  retryFailed(
    series: number,
    retryable: boolean,
    hint: unknown,
    now: number,
  ): { wait: number; waitNs: bigint } | string | Refused
}

export const native = load() as Native

/** Frees the native object of each owner that was collected. */
const owners = new FinalizationRegistry<number>(handle => native.release(handle))

/** Frees `handle` once nobody holds `owner` any more. */
export function own(owner: object, handle: number): number {
  owners.register(owner, handle)
  return handle
}
