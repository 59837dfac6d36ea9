/**
 * Takes apart what options hold: a policy for the core to judge, and what only JavaScript knows.
 */
import { timeOf, type ManualClock, type Time } from './clock.js'
import { refuse } from './errors.js'
import { HOOKS } from './judge.js'

/** What can be set in code only. */
export interface LiveOptions {
  /** Where the time comes from; `performance.now` by default. */
  readonly clock?: ManualClock | undefined
  /** The seed of every draw, for tests: 0 to 2⁶⁴ − 1. From the operating system by default. */
  readonly seed?: bigint | number | undefined
}

/** What can be set of timers. */
export interface TimerOptions {
  /** Whether a wait or a running attempt keeps the process alive by itself; `false` by default. */
  readonly ref?: boolean | undefined
}

/** What can be set of metrics. */
export interface MetricsOptions {
  /**
   * Whether to measure how long calls take, for `overcurrent_call_duration_seconds`; `false` by default, as it takes two
   * readings of the clock a call.
   */
  readonly durations?: boolean | undefined
}

/** The options that the core does not judge. */
export const OURS = ['clock', 'seed', ...HOOKS]
/** The same for who has timers. */
export const TIMED = [...OURS, 'ref']
/** The same for who is measured. */
export const MEASURED = [...TIMED, 'durations']

const SEEDS = 1n << 64n

/** The clock and the seed. */
export function live({ clock, seed }: LiveOptions): { time: Time; seed: bigint | undefined } {
  return { time: timeOf(clock), seed: seeded(seed) }
}

function seeded(seed: bigint | number | undefined): bigint | undefined {
  if (seed === undefined) return undefined
  const whole = typeof seed === 'bigint' || Number.isSafeInteger(seed)
  if (!whole || seed < 0 || BigInt(seed) >= SEEDS)
    refuse('seed', seed, 'must be a whole number, 0 to 18446744073709551615')
  return BigInt(seed)
}

/** Whether timers keep the process alive. */
export function kept({ ref = false }: TimerOptions): boolean {
  return typeof ref === 'boolean' ? ref : refuse('ref', ref, 'must be true or false')
}

/** Whether to measure how long calls take. */
export function timing({ durations = false }: MetricsOptions): boolean {
  return typeof durations === 'boolean' ? durations : refuse('durations', durations, 'must be true or false')
}

/**
 * The options `what`, of which there are no others than `names`: a slip of the pen would say nothing.
 * @throws InvalidPolicy where they are no object, or have another
 */
export function only<T extends object>(what: string, options: T, names: readonly string[]): T {
  const fields = names.map(name => `\`${name}\``).join(', ')
  if (typeof options !== 'object' || options === null || options instanceof EventTarget)
    refuse(what, options, `must be an object of ${fields}`)
  const extra = Object.keys(options).find(name => !names.includes(name))
  if (extra !== undefined) refuse(extra, extra, `is not a field here, only ${fields} can stand here`)
  return options
}

/** The options without some; for the core to see whatever else is there. */
export function without(options: unknown, names: readonly string[]): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  const rest: object = Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)))
  return Object.setPrototypeOf(rest, Object.getPrototypeOf(options) as object | null)
}

/** The options with one replaced. */
export function replaced(options: unknown, name: string, value: unknown): unknown {
  return Object.assign(without(options, [name]) as object, { [name]: value })
}
