/**
 * Circuit breaker, retry, backoff and retry budget, decided by one core that is the same in Rust,
 * Python and Node.
 *
 * @example
 * const payments = new Guard('payments', {
 *   attemptTimeout: '2s',
 *   retry: { maxAttempts: 4, backoff: exponential('100ms', { max: '5s' }) },
 *   breaker: { failureRate: 0.5 },
 * })
 * const receipt = await payments.call(({ signal }) => fetch(url, { signal }))
 */
export type { Context } from './attempt.js'
export { Breaker, Permit, type BreakerOptions, type Snapshot } from './breaker.js'
export { Budget, type BudgetOptions } from './budget.js'
export type { CallOptions } from './callers.js'
export { ManualClock } from './clock.js'
export { compose, type Composed } from './compose.js'
export {
  AttemptTimeout,
  BreakerOpen,
  DeadlineExceeded,
  InvalidPolicy,
  OvercurrentError,
  RegistryFull,
  callInfo,
  type CallInfo,
} from './errors.js'
export type {
  BreakerEvents,
  BudgetExhaustedEvent,
  Event,
  EventCaller,
  Events,
  EvictionEvent,
  GiveUpEvent,
  GuardEvents,
  LateResultEvent,
  RejectEvent,
  RetryEvent,
  StateChangeEvent,
  TimeoutEvent,
} from './event.js'
export { explain } from './explain.js'
export { Guard, type GuardOptions, type GuardPolicy } from './guard.js'
export { logEvents, type Logger } from './log.js'
export type { Classify, JudgeOptions, Matcher, Result, Verdict } from './judge.js'
export { Metrics, metrics, type Bucket, type Family, type Histogram, type Metric, type Sample } from './metrics.js'
export type { LiveOptions, MetricsOptions, TimerOptions } from './options.js'
export {
  constant,
  exponential,
  linear,
  proportional,
  schedule,
  type Backoff,
  type BreakerPolicy,
  type BudgetPolicy,
  type Duration,
  type Jitter,
  type Window,
} from './policy.js'
export { Registry, type RegistryOptions } from './registry.js'
export { Retry, RetryCall, type Decision, type Failure, type RetryOptions, type RetryPolicy } from './retry.js'
export type { Token } from './share.js'
export { Subscription, subscribe } from './subscribe.js'
export { TraceContext, type IncomingHeaders, type OutgoingHeaders, type RootOptions } from './trace-context.js'
export type { OpenReason, RejectReason, State, StopReason } from './words.js'
