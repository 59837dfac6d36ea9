/**
 * What guards, breakers and registries have counted, as values and as text. What there is to count, its names and the
 * texts are the core's.
 */
import { INSPECT, shownAs } from './inspect.js'
import { native, type Counted } from './native.js'

const { prometheus, openMetrics } = native.contentTypes()

/** How many observations there were up to a bound, in the unit of the metric; `Infinity` is the bound of the last bucket. */
export interface Bucket {
  readonly le: number
  readonly count: number
}

/** Observations, counted by size. */
export interface Histogram {
  /** The buckets, each with all that those before it have. */
  readonly buckets: readonly Bucket[]
  /** All observations together, in the unit of the metric. */
  readonly sum: number
  /** How many there were. */
  readonly count: number
}

/** One value of a metric. */
export interface Sample<Value = number | Histogram> {
  /** Whose it is (`guard`, `breaker` or `registry`), and what it is about. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: Value
}

/** A metric: its name, and what it means. */
export interface Metric<Kind = 'counter' | 'gauge' | 'histogram'> {
  /** Its name, the same in every language. */
  readonly name: string
  readonly kind: Kind
  /** What it tells, in a sentence. */
  readonly help: string
  /** The names of its labels. */
  readonly labels: readonly string[]
}

interface Sampled<Kind, Value> extends Metric<Kind> {
  /** Its samples, sorted by whose they are. */
  readonly samples: readonly Sample<Value>[]
}

/** A metric with all its samples. */
export type Family = Sampled<'counter', number> | Sampled<'gauge', number> | Sampled<'histogram', Histogram>

/** Every metric there can be. */
export const METRICS = native.metricsDescribed() as readonly Metric[]

/** A bound as it stands in the label `le`. */
export function bound(le: number): string {
  if (le === Infinity) return '+Inf'
  return Number.isInteger(le) ? `${le}.0` : `${le}`
}

/**
 * What was counted up to one moment, of the whole process or of one object. Of several guards, breakers or registries
 * with the same name, the values are added up.
 */
export class Metrics {
  /** The content type of `prometheus()`. */
  static readonly PROMETHEUS: string = prometheus
  /** The content type of `openMetrics()`. */
  static readonly OPENMETRICS: string = openMetrics

  readonly #counted: Counted
  #families: readonly Family[] | undefined = undefined

  /** @internal */
  constructor(counted: Counted) {
    this.#counted = counted
  }

  /** The metrics that have samples, in the order in which they are rendered. */
  get families(): readonly Family[] {
    return (this.#families ??= native.metricsFamilies(this.#counted) as Family[])
  }

  /** Prometheus text, version 0.0.4. */
  prometheus(): string {
    return native.metricsText(this.#counted, false)
  }

  /** OpenMetrics text, version 1.0.0. */
  openMetrics(): string {
    return native.metricsText(this.#counted, true)
  }

  /** The same as `prometheus()`. */
  toString(): string {
    return this.prometheus()
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { families: this.families })
  }
}

/** What the object of a handle has counted. */
export function metricsOf(handle: number): Metrics {
  return new Metrics(native.metrics(handle))
}

/**
 * What all guards, breakers and registries of this process have counted, those of other threads too. One that
 * nobody holds any more is gone from it, with what it had counted.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { Metrics, metrics } from 'overcurrent'
 *
 * const server = createServer((request, response) => {
 *   response.setHeader('content-type', Metrics.PROMETHEUS).end(metrics().prometheus())
 * })
 */
export function metrics(): Metrics {
  return new Metrics(native.metrics(undefined))
}
