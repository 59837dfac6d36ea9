/**
 * The words of the core for states and reasons; the same in every language.
 */

/** Where a breaker stands; the two forced states are an operator's overrides. */
export type State = 'closed' | 'open' | 'half_open' | 'forced_open' | 'forced_closed'

/** Why a breaker opened. */
export type OpenReason =
  'consecutive_failures' | 'failure_rate' | 'slow_rate' | 'probe_failed' | 'probe_timeout' | 'manual'

/** Why a breaker admitted no call. */
export type RejectReason = 'open' | 'half_open' | 'forced_open'

/** Why a call was not retried. */
export type StopReason =
  'not_retryable' | 'attempts_exhausted' | 'hint_too_long' | 'deadline' | 'breaker_open' | 'budget_exhausted'
