/**
 * The errors, each with one stable code. Their texts are the core's.
 *
 * `instanceof` goes by the code: the package may be there several times (in two versions, in the sandbox of a
 * test runner), and an error of one copy is one for the others too.
 */
import { native, type Exceeded, type Full, type Refused } from './native.js'
import type { RejectReason, StopReason } from './words.js'

type Code = 'INVALID_POLICY' | 'BREAKER_OPEN' | 'ATTEMPT_TIMEOUT' | 'DEADLINE_EXCEEDED' | 'REGISTRY_FULL'

/** Where an error of any copy of this package keeps its code. */
const CODE: unique symbol = Symbol.for('overcurrent.code') as never

/** The code of an error of overcurrent's, whichever copy made it. */
function codeOf(value: unknown): unknown {
  try {
    return isObject(value) ? (value as { readonly [CODE]?: unknown })[CODE] : undefined
  } catch {
    // A proxy that nobody may look into.
    return undefined
  }
}

/** What every error of overcurrent is. */
export abstract class OvercurrentError extends Error {
  /**
   * Whether rejections and timeouts capture a stack, in all of the process that shares this class; `false`
   * by default, as it is most of what they cost and shows where nothing went wrong. A refused policy always has one.
   */
  static captureStack = false

  /** A stable, machine-readable name, the same in every language. */
  abstract readonly code: Code

  /** Whether it is an error of this kind, also one that another copy of the package made. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    const own: Code | true | undefined = kinds.get(this)
    // A class that somebody derived.
    if (own === undefined) return Function.prototype[Symbol.hasInstance].call(this, value)
    const code = codeOf(value)
    return own === true ? code !== undefined : code === own
  }

  /**
   * Its name, message, code and fields as plain data: for logs, and to post to another thread, as a
   * structured clone of an error keeps its message and stack only.
   */
  toJSON(): Record<string, unknown> {
    const { name, message } = this
    return { ...(this as object), name, message }
  }
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
  readonly reason: RejectReason
  /** How many milliseconds until it will admit a probe, where that is known. */
  readonly retryAfterMs: number | undefined

  /** @internal */
  constructor(message: string, breaker: string, reason: RejectReason, retryAfterMs: number | undefined) {
    super(message)
    this.breaker = breaker
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** One attempt took longer than the policy's `attemptTimeout`. */
export class AttemptTimeout extends OvercurrentError {
  readonly code = 'ATTEMPT_TIMEOUT'
  /** The guard's name. */
  readonly guard: string
  /** Which attempt, from 1. */
  readonly attempt: number
  /** How many milliseconds it had. */
  readonly timeoutMs: number

  /** @internal */
  constructor({ message, guard, attempts, limit }: Exceeded) {
    super(message)
    this.guard = guard
    this.attempt = attempts
    this.timeoutMs = limit
  }
}

/** The whole call took longer than the policy's `deadline`. Its `cause` is the last own error, if any. */
export class DeadlineExceeded extends OvercurrentError {
  readonly code = 'DEADLINE_EXCEEDED'
  /** The guard's name. */
  readonly guard: string
  /** How many attempts had begun. */
  readonly attempts: number
  /** How many milliseconds the whole call had. */
  readonly deadlineMs: number

  /** @internal */
  constructor({ message, guard, attempts, limit }: Exceeded, options?: ErrorOptions) {
    super(message, options)
    this.guard = guard
    this.attempts = attempts
    this.deadlineMs = limit
  }
}

/** A registry has no room for a new key: it is full, and nothing in it is idle. */
export class RegistryFull extends OvercurrentError {
  readonly code = 'REGISTRY_FULL'
  /** What the guard would have been named. */
  readonly guard: string
  /** How many guards the registry may hold. */
  readonly capacity: number

  /** @internal */
  constructor({ message, guard, capacity }: Full) {
    super(message)
    this.guard = guard
    this.capacity = capacity
  }
}

/** The code of each class; every code is one of `OvercurrentError`. */
const kinds = new Map<unknown, Code | true>([
  [OvercurrentError, true],
  [InvalidPolicy, 'INVALID_POLICY'],
  [BreakerOpen, 'BREAKER_OPEN'],
  [AttemptTimeout, 'ATTEMPT_TIMEOUT'],
  [DeadlineExceeded, 'DEADLINE_EXCEEDED'],
  [RegistryFull, 'REGISTRY_FULL'],
])

// On the prototypes, as for the errors of the language, so that `stack` and `toString` begin with the name.
for (const type of [
  OvercurrentError,
  InvalidPolicy,
  BreakerOpen,
  AttemptTimeout,
  DeadlineExceeded,
  RegistryFull,
]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name, writable: true, configurable: true })
  Object.defineProperty(type.prototype, CODE, { value: kinds.get(type) })
}

/** At most so many frames of a stack are this package's. */
const OWN_FRAMES = 12

/**
 * Makes an error without a stack, at a third of the cost: nothing went wrong where it is made. With one, where
 * somebody asks for it.
 */
export function quietly<T>(make: () => T): T {
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = OvercurrentError.captureStack ? limit + OWN_FRAMES : 0
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

const REASONS = native.rejectReasons() as RejectReason[]

/** The error of the rejection that was answered last, by a breaker of this name; `code` is that of its reason. */
export function rejected(breaker: string, code: number): BreakerOpen {
  const retryAfter = native.payload() / 1e6
  const message = native.refusal()
  return quietly(
    () => new BreakerOpen(message, breaker, REASONS[code]!, Number.isNaN(retryAfter) ? undefined : retryAfter),
  )
}

/** What the core answered, unless it refused. */
export function accepted<T>(answer: T | Refused): T {
  if (typeof answer === 'object' && answer !== null && 'rule' in answer) throw new InvalidPolicy(answer)
  return answer as T
}

/** Refuses an option that only JavaScript knows. */
export function refuse(path: string, value: unknown, rule: string): never {
  const shown = typeof value === 'function' ? 'a function' : textOf(value)
  throw new InvalidPolicy({ message: native.refusalMessage(path, shown, rule), path, value: shown, rule })
}

/** A value as text; there are objects that have none. */
function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'an object'
  }
}

/** What was done before a call failed. */
export interface CallInfo {
  /** How many attempts began. */
  readonly attempts: number
  /** How long the call took in all, in milliseconds; one that nothing bounds, to within 10. */
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
