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
export { Breaker, Permit, type Snapshot } from './breaker.js'
export { Budget } from './budget.js'
export { ManualClock } from './clock.js'
export { compose, type Composed } from './compose.js'
export {
  AttemptTimeout,
  BreakerOpen,
  DeadlineExceeded,
  InvalidPolicy,
  OvercurrentError,
  callInfo,
  type CallInfo,
} from './errors.js'
export type {
  BreakerEvents,
  BudgetExhaustedEvent,
  Event,
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
export { Guard } from './guard.js'
export type { Classify, Matcher, Result, Verdict } from './judge.js'
export {
  constant,
  exponential,
  linear,
  proportional,
  schedule,
  type Backoff,
  type BreakerOptions,
  type BreakerPolicy,
  type BudgetOptions,
  type BudgetPolicy,
  type Duration,
  type GuardOptions,
  type GuardPolicy,
  type Jitter,
  type JudgeOptions,
  type LiveOptions,
  type RetryOptions,
  type RetryPolicy,
  type TimerOptions,
  type Window,
} from './policy.js'
export { Retry, RetryCall, type Decision, type Failure } from './retry.js'
export type { CallOptions, Context } from './run.js'
export type { Token } from './share.js'
export { Subscription, subscribe } from './subscribe.js'
export type { OpenReason, RejectReason, State, StopReason } from './words.js'
