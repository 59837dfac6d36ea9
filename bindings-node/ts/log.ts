/**
 * The log of decisions. What is a warning, what is worth a line and what is for debugging is the core's to say.
 *
 * INVARIANT: what a logger throws has no say in any decision.
 */
import { refuse } from './errors.js'
import type { Event } from './event.js'
import type { Severity } from './hearing.js'
import { Reporter } from './report.js'
import { subscribed, type Source, type Subscription } from './subscribe.js'

/** What is needed of a logger: pino is one, and so is `console`. */
export interface Logger {
  debug(fields: object, message: string): unknown
  info(fields: object, message: string): unknown
  warn(fields: object, message: string): unknown
}

/** The method for each severity. */
const METHODS = ['debug', 'info', 'warn'] as const

/**
 * Logs what is decided in this process, or by one guard and its breaker, or by one breaker, until it is closed.
 *
 * Each event is one line: an object with `event` (its name) and those of its fields that are there, and the message
 * `overcurrent.stateChange`, say. A breaker that opens is a warning; most others are information; what may come
 * with each call while all is well again is for debugging. Of a breaker's rejections the first one after each
 * change of its state is logged; the next change says how many there were. Nothing of a call's arguments, results
 * or errors is logged. What the logger throws is reported once, as a warning of the process, and passed over.
 *
 * @param logger pino, `console`, or anything with methods `debug`, `info` and `warn` that take an object and a message
 * @param source `guard` or `breaker`, or neither for all there are
 * @throws InvalidPolicy where it is no such logger, or the source is none
 *
 * @example
 * const log = logEvents(console)
 * log.close()
 */
export function logEvents(logger: Logger, source: Source = {}): Subscription {
  for (const method of METHODS)
    if (typeof logger?.[method] !== 'function') refuse('logger', logger, `must have a method \`${method}\``)
  const reporter = new Reporter('OVERCURRENT_LOGGER')
  const hear = ({ name, ...fields }: Event, severity: Severity) => {
    const line: Record<string, unknown> = { event: name }
    for (const [field, value] of Object.entries(fields)) if (value !== undefined) line[field] = value
    reporter.attempt('the logger', () => logger[METHODS[severity]](line, `overcurrent.${name}`))
  }
  return subscribed({ firstRejections: true, hear }, source)
}
