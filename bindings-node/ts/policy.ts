/**
 * Policies as plain data, handed to the core as they are, which alone knows the rules.
 */

/** A length of time: text with a unit (`'250ms'`, `'1.5s'`; ns us ms s m h), or milliseconds. */
export type Duration = `${number}${'ns' | 'us' | 'ms' | 's' | 'm' | 'h'}` | number

/** How the waits grow from one failed attempt to the next. */
export type Backoff =
  | 'none'
  | { readonly constant: { readonly delay: Duration } }
  | { readonly linear: { readonly initial: Duration; readonly step: Duration; readonly max: Duration } }
  | {
      readonly exponential: {
        readonly initial: Duration
        readonly multiplier?: number | undefined
        readonly max: Duration
      }
    }
  | { readonly schedule: { readonly delays: readonly Duration[] } }

/** How each wait is drawn around its base. */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated' | { readonly proportional: number }

/** The same wait each time. */
export function constant(delay: Duration): Backoff {
  return { constant: { delay } }
}

/** A wait that grows by `step` each time, up to `max`. */
export function linear(initial: Duration, { step, max }: { step: Duration; max: Duration }): Backoff {
  return { linear: { initial, step, max } }
}

/** A wait that grows by the factor `multiplier` (2 by default) each time, up to `max`. */
export function exponential(initial: Duration, { multiplier, max }: { multiplier?: number; max: Duration }): Backoff {
  return { exponential: { initial, multiplier, max } }
}

/** The waits one by one, 1 to 1000 of them; the last one repeats. */
export function schedule(...delays: Duration[]): Backoff {
  return { schedule: { delays } }
}

/** A jitter that adds or takes up to `share` of the base, above 0 and at most 1. */
export function proportional(share: number): Jitter {
  return { proportional: share }
}

/** Which outcomes the rates of a breaker are taken over: those of the last `time`, or the last `calls`. */
export type Window =
  | { readonly time: Duration; readonly buckets?: number | undefined; readonly calls?: undefined }
  | { readonly calls: number; readonly time?: undefined; readonly buckets?: undefined }

/** When a breaker opens and closes. */
export interface BreakerPolicy {
  /** The outcomes the rates are taken over; the last 10 s by default. */
  readonly window?: Window | undefined
  /** The share of failures in the window that opens, above 0 and at most 1; 0.5 by default. */
  readonly failureRate?: number | undefined
  /** How many outcomes the window must hold before a rate is tested; 20 by default. */
  readonly minimumCalls?: number | undefined
  /** From this duration on a call is slow. */
  readonly slowCall?: Duration | undefined
  /** The share of slow calls in the window that opens; 1 by default. */
  readonly slowRate?: number | undefined
  /** So many failures in a row open. */
  readonly consecutiveFailures?: number | undefined
  /** From this duration on a cancelled call counts as a failure. */
  readonly abandonAfter?: Duration | undefined
  /** The first cooldown; 5 s by default. */
  readonly cooldown?: Duration | undefined
  /** The longest cooldown; 60 s by default. */
  readonly cooldownMax?: Duration | undefined
  /** What each further cooldown is multiplied by; 2 by default. */
  readonly cooldownMultiplier?: number | undefined
  /** The share of the cooldown that is added at random, at most; 0.1 by default. */
  readonly cooldownJitter?: number | undefined
  /** Probes that may be out at once; 1 by default. */
  readonly probes?: number | undefined
  /** Successful probes that close; 1 by default. */
  readonly closeAfter?: number | undefined
  /** Failed probes that open again; 1 by default. */
  readonly reopenAfter?: number | undefined
  /** How long a probe may take before it counts as lost; 30 s by default. */
  readonly probeTimeout?: Duration | undefined
}

/** Caps the retries of all calls together. */
export interface BudgetPolicy {
  /** Tokens deposited at the start of each call, 0 to 1; 0.2 by default. */
  readonly ratio?: number | undefined
  /** Tokens refilled per second whatever the traffic; 1 by default. */
  readonly minPerSecond?: number | undefined
  /** The most tokens it holds, and what it starts with; 10 by default. */
  readonly burst?: number | undefined
}
