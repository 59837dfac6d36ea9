/**
 * What can be heard of decisions. Names and fields are those of the core, in the case of JavaScript.
 *
 * An event holds names, words, numbers and durations in milliseconds, and nothing of a call's arguments,
 * results or errors. What is absent is `undefined`.
 */
import type { OpenReason, RejectReason, State, StopReason } from './words.js'

/** On whose behalf a decision was made, as far as that is known. */
export interface EventCaller {
  /** The guard; `undefined` of a retry alone, and where a breaker was asked or commanded itself. */
  readonly guard: string | undefined
  /** The attempt, from 1, that failed, was cut or was recorded; of a rejection the one that was asked for. */
  readonly attempt: number | undefined
  /** The trace in which the call was made: 32 hexadecimal digits. */
  readonly traceId: string | undefined
  /** The span in which it was made: 16 hexadecimal digits. */
  readonly spanId: string | undefined
  /** What the request is known by on whose behalf it was made. */
  readonly correlationId: string | undefined
}

/** A breaker went from one state to another, or began the same one afresh. */
export interface StateChangeEvent extends EventCaller {
  readonly name: 'stateChange'
  /** The breaker. */
  readonly breaker: string
  /** Where it stood. */
  readonly old: State
  /** Where it stands now. */
  readonly new: State
  /** Why. */
  readonly reason: OpenReason | 'cooldown_over' | 'probes_succeeded' | 'reset' | 'forced' | 'automatic' | 'restored'
  /** The epoch that began with it: 2 with the first change, one more with each. */
  readonly epoch: number
  /** The failures in a row, where a test of them or of the window opened it. */
  readonly consecutive: number | undefined
  /** The outcomes in the window, where a test opened it and it has a window. */
  readonly total: number | undefined
  /** The failures among them; of a window of calls at least so many. */
  readonly failures: number | undefined
  /** The slow ones among them; of a window of calls at least so many. */
  readonly slow: number | undefined
  /** How long it had been in the old state, in whole milliseconds. */
  readonly lasted: number
  /** How many milliseconds it will stay open, where it opened. */
  readonly openFor: number | undefined
  /** How many calls it rejected in the old state, as far as anybody listened. */
  readonly rejected: number
}

/** A failed attempt is tried again after a wait. */
export interface RetryEvent extends EventCaller {
  readonly name: 'retry'
  /** The attempt that failed, from 1. */
  readonly attempt: number
  /** How many milliseconds until the next one. */
  readonly wait: number
  /** What this wait came from. */
  readonly origin: 'backoff' | 'hint'
}

/** A breaker rejected a call. */
export interface RejectEvent extends EventCaller {
  readonly name: 'reject'
  /** The breaker. */
  readonly breaker: string
  /** Why. */
  readonly reason: RejectReason
  /** How many milliseconds until a probe is admitted, where that is known. */
  readonly retryAfter: number | undefined
  /** Which rejection it is since the last change of state, from 1, as far as anybody listened. */
  readonly nth: number
}

/** A call's last failure is handed over; it is not retried. */
export interface GiveUpEvent extends EventCaller {
  readonly name: 'giveUp'
  /** The last attempt, which is how many were made. */
  readonly attempt: number
  /** The milliseconds since the call began; `undefined` of a retry alone, which does not measure it. */
  readonly elapsed: number | undefined
  /** Why it is not retried. */
  readonly reason: StopReason
}

/** An attempt or a call took longer than it may. */
export interface TimeoutEvent extends EventCaller {
  readonly name: 'timeout'
  /** The guard. */
  readonly guard: string
  /** The attempt, from 1; 0 where none had begun. */
  readonly attempt: number
  /** The limit that it broke, in milliseconds. */
  readonly timeout: number
  /** Which limit that is. */
  readonly which: 'attempt' | 'deadline'
}

/** An outcome came after its epoch was over, and changed nothing. */
export interface LateResultEvent extends EventCaller {
  readonly name: 'lateResult'
  /** The breaker. */
  readonly breaker: string
  /** The outcome. */
  readonly outcome: 'success' | 'failure' | 'ignored' | 'cancelled'
}

/** A retry was denied, as the budget held no whole token. */
export interface BudgetExhaustedEvent extends EventCaller {
  readonly name: 'budgetExhausted'
  /** The attempt that failed, from 1. */
  readonly attempt: number
}

/** A registry forgot an idle entry to make room. */
export interface EvictionEvent {
  readonly name: 'eviction'
  /** The key of the entry. */
  readonly key: string
}

/** Every event, by its name. */
export interface Events {
  stateChange: StateChangeEvent
  retry: RetryEvent
  reject: RejectEvent
  giveUp: GiveUpEvent
  timeout: TimeoutEvent
  lateResult: LateResultEvent
  budgetExhausted: BudgetExhaustedEvent
  eviction: EvictionEvent
}

/** What was decided, and why. */
export type Event = Events[keyof Events]

/** The events of a breaker. */
export type BreakerEvents = Pick<Events, 'stateChange' | 'reject' | 'lateResult'>

/** The events of a guard, those of its breaker among them. */
export type GuardEvents = Omit<Events, 'eviction'>
