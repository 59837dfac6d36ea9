/**
 * The metrics by OpenTelemetry: instruments that are observed whenever its SDK collects.
 *
 * Its API observes no histogram. So one is three counters, named as Prometheus names the parts of it.
 */
import { metrics as api, type BatchObservableCallback, type Meter, type MeterProvider, type Observable } from '@opentelemetry/api'
import { refuse } from './errors.js'
import { METRICS, bound, metrics, type Family, type Metric } from './metrics.js'
import { native } from './native.js'
import { only } from './options.js'

/** What can be set of the instruments. */
export interface InstrumentMetricsOptions {
  /** Who makes the instruments; the global one by default. */
  readonly meterProvider?: MeterProvider | undefined
}

/** Those that have the instruments. */
const providers = new WeakSet<MeterProvider>()

const PARTS = ['bucket', 'sum', 'count'] as const

/** The instruments of a metric, by their names. */
function instruments(meter: Meter, { name, kind, help: description }: Metric): [string, Observable][] {
  if (kind === 'gauge') return [[name, meter.createObservableGauge(name, { description })]]
  const names = kind === 'counter' ? [name] : PARTS.map(part => `${name}_${part}`)
  return names.map(name => [name, meter.createObservableCounter(name, { description })])
}

/** What there is to observe of a metric: of which instrument, which value, with which attributes. */
function* observations(family: Family): Iterable<[string, number, Readonly<Record<string, string>>]> {
  if (family.kind !== 'histogram') {
    for (const { labels, value } of family.samples) yield [family.name, value, labels]
    return
  }
  for (const { labels, value } of family.samples) {
    const { buckets, sum, count } = value
    for (const { le, count } of buckets) yield [`${family.name}_bucket`, count, { ...labels, le: bound(le) }]
    yield [`${family.name}_sum`, sum, labels]
    yield [`${family.name}_count`, count, labels]
  }
}

/** Has the metrics observed until it is closed, as `using` does at the end of a block. */
export class Metering {
  readonly #provider: MeterProvider
  readonly #meter: Meter
  readonly #instruments: ReadonlyMap<string, Observable>
  readonly #observe: BatchObservableCallback = result => {
    for (const family of metrics().families)
      for (const [name, value, labels] of observations(family)) result.observe(this.#instruments.get(name)!, value, labels)
  }

  /** @internal */
  constructor(provider: MeterProvider) {
    const meter = provider.getMeter('overcurrent', native.version())
    this.#provider = provider
    this.#meter = meter
    this.#instruments = new Map(METRICS.flatMap(metric => instruments(meter, metric)))
    meter.addBatchObservableCallback(this.#observe, [...this.#instruments.values()])
    providers.add(provider)
  }

  /** Has nothing observed any more. */
  close(): void {
    providers.delete(this.#provider)
    this.#meter.removeBatchObservableCallback(this.#observe, [...this.#instruments.values()])
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Has OpenTelemetry observe what all guards, breakers and registries of this process have counted, as it stands at each
 * collection, until it is closed. Names, attributes and values are those of `metrics()`; a histogram is three counters,
 * whose names end in `_bucket`, `_sum` and `_count`.
 *
 * @param options `meterProvider`, who makes the instruments; by default the global one, which must have been set by then
 * @throws InvalidPolicy where the provider is none; an error where it has the instruments already
 *
 * @example
 * const metering = instrumentMetrics()
 * metering.close()
 */
export function instrumentMetrics(options: InstrumentMetricsOptions = {}): Metering {
  const { meterProvider } = only('options', options, ['meterProvider'])
  const provider = meterProvider ?? api.getMeterProvider()
  if (typeof provider?.getMeter !== 'function') refuse('meterProvider', provider, 'must have a method `getMeter`')
  if (providers.has(provider)) throw new Error('the provider has these instruments already, close that first')
  return new Metering(provider)
}
