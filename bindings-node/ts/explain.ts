/**
 * Why a call failed, in the core's words.
 */
import { AttemptTimeout, BreakerOpen, DeadlineExceeded, callInfo } from './errors.js'
import { native } from './native.js'

/**
 * Why a call failed with this error and was not tried again, in words for people, the same in every language;
 * nothing of the error's own. `undefined` for an error that came from no call.
 *
 * @example
 * await payments.call(charge).catch(error => console.error(explain(error), error))
 */
export function explain(error: unknown): string | undefined {
  const info = callInfo(error)
  if (error instanceof BreakerOpen)
    return native.explainOpen(error.breaker, error.reason, error.retryAfterMs) ?? undefined
  if (error instanceof AttemptTimeout)
    return native.explainAttempt(error.guard, error.attempt, error.timeoutMs, info?.stop)
  if (error instanceof DeadlineExceeded)
    return native.explainDeadline(error.guard, error.attempts, error.deadlineMs)
  return info && native.explainGivenUp(info.attempts, info.elapsedMs, info.stop)
}
