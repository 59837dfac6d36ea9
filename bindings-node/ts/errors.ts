/**
 * The errors, each with one stable code. Their texts are the core's.
 */
import { native, type Refusal, type Refused } from './native.js'

/** What every error of overcurrent is. */
export abstract class OvercurrentError extends Error {
  /** A stable, machine-readable name, the same in every language. */
  abstract readonly code: 'INVALID_POLICY' | 'BREAKER_OPEN' | 'ATTEMPT_TIMEOUT' | 'DEADLINE_EXCEEDED'
}

/** A policy was refused: where, what stood there, and the rule it breaks. */
export class InvalidPolicy extends OvercurrentError {
  readonly code = 'INVALID_POLICY'
  /** Where the value stands: `policy.payments.retry.max_attempts`, or `retry.maxAttempts` in code. */
  readonly path: string
  /** The value as it was given. */
  readonly value: string
  /** The rule it breaks, in words that follow the value: `must be 1 to 1000`. */
  readonly rule: string

  /** @internal */
  constructor({ message, path, value, rule }: Refused) {
    super(message)
    this.path = path
    this.value = value
    this.rule = rule
  }
}

/** The breaker admitted no call; the function was not run. */
export class BreakerOpen extends OvercurrentError {
  readonly code = 'BREAKER_OPEN'
  /** The breaker's name. */
  readonly breaker: string
  /** Why it admitted none. */
  readonly reason: 'open' | 'half_open' | 'forced_open'
  /** How many milliseconds until it will admit a probe, where that is known. */
  readonly retryAfterMs: number | undefined

  /** @internal */
  constructor({ message, breaker, reason, retryAfterMs }: Refusal) {
    super(message)
    this.breaker = breaker
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** One attempt took longer than the policy's `attemptTimeout`. */
export class AttemptTimeout extends OvercurrentError {
  readonly code = 'ATTEMPT_TIMEOUT'
}

/** The whole call took longer than the policy's `deadline`. Its `cause` is the last own error, if any. */
export class DeadlineExceeded extends OvercurrentError {
  readonly code = 'DEADLINE_EXCEEDED'
}

// On the prototypes, as for the errors of the language, so that `stack` and `toString` begin with it.
for (const type of [OvercurrentError, InvalidPolicy, BreakerOpen, AttemptTimeout, DeadlineExceeded]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name, writable: true, configurable: true })
}

/** Makes an error without a stack, at a third of the cost: nothing went wrong where it is made. */
export function quietly<T>(make: () => T): T {
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = 0
  } catch {
    // Somebody froze it.
    return make()
  }
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** What the core answered, unless it refused. */
export function accepted<T>(answer: T | Refused): T {
  if (typeof answer === 'object' && answer !== null && 'rule' in answer) throw new InvalidPolicy(answer)
  return answer as T
}

/** Refuses an option that only JavaScript knows. */
export function refuse(path: string, value: unknown, rule: string): never {
  const shown = typeof value === 'function' ? 'a function' : String(value)
  throw new InvalidPolicy({ message: native.refusalMessage(path, shown, rule), path, value: shown, rule })
}

/** Why a call was not retried. */
export type StopReason =
  'not_retryable' | 'attempts_exhausted' | 'hint_too_long' | 'deadline' | 'breaker_open' | 'budget_exhausted'

/** What was done before a call failed. */
export interface CallInfo {
  /** How many attempts began. */
  readonly attempts: number
  /** How long the call took in all, in milliseconds. */
  readonly elapsedMs: number
  /** Why it was not retried; `undefined` where retrying was not the question. */
  readonly stop: StopReason | undefined
}

const infos = new WeakMap<object, CallInfo>()

/**
 * What was done before a call failed with this error. `undefined` for an error that came from no call,
 * that the breaker rejected a call with (the function never ran), or that is no object.
 */
export function callInfo(error: unknown): CallInfo | undefined {
  return isObject(error) ? infos.get(error) : undefined
}

/** Notes what was done before a call failed; the error itself stays as it is. */
export function note(error: unknown, info: CallInfo): void {
  if (isObject(error)) infos.set(error, info)
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
