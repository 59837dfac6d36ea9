/**
 * What a server answers where a breaker admits no call: 503, and when to come again.
 */
import type { BreakerOpen } from '../errors.js'
import { native } from '../native.js'

/** The status of such an answer. */
export const STATUS = 503
/** Its text. It does not name the breaker. */
export const TEXT = 'Service Unavailable'

/**
 * The headers of an answer to a call that a breaker rejected: Retry-After in whole seconds, rounded up, where the
 * time is known.
 */
export function retryAfter({ retryAfterMs }: BreakerOpen): { 'retry-after'?: string } {
  return retryAfterMs === undefined ? {} : { 'retry-after': String(native.httpRetryAfterHeader(retryAfterMs)) }
}
