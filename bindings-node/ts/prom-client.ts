/**
 * The metrics in a registry of prom-client's, among those of the application.
 *
 * INVARIANT: all that one reading of a registry sees was gathered at once.
 */
import { register as global, type Registry, type RegistryContentType } from 'prom-client'
import { refuse } from './errors.js'
import { METRICS, bound, metrics, type Family, type Metric } from './metrics.js'
import { only } from './options.js'

/** Where the metrics are to be read. */
export interface CollectOptions {
  /** The registry; that of prom-client's own by default. */
  readonly register?: Registry<RegistryContentType> | undefined
}

/** A sample as prom-client has it. */
interface Value {
  readonly value: number
  readonly labels: Readonly<Record<string, string>>
  /** The name of the sample, where that is not the metric's. */
  readonly metricName?: string
}

/** What was counted, as long as one turn of JavaScript lasts: a registry asks for all its metrics in one. */
class Gathering {
  #families: ReadonlyMap<string, Family> | undefined = undefined

  family(name: string): Family | undefined {
    if (this.#families === undefined) {
      this.#families = new Map(metrics().families.map(family => [family.name, family]))
      queueMicrotask(() => (this.#families = undefined))
    }
    return this.#families.get(name)
  }
}

/** One metric, as a registry asks for it. */
class Collected {
  /** A registry for OpenMetrics takes `_total` away. */
  name: string
  readonly help: string
  readonly type: Metric['kind']
  /** How the metrics of the processes of a cluster come together. */
  readonly aggregator = 'sum'
  readonly #metric: Metric
  readonly #gathering: Gathering

  constructor(metric: Metric, gathering: Gathering) {
    this.name = metric.name
    this.help = metric.help
    this.type = metric.kind
    this.#metric = metric
    this.#gathering = gathering
  }

  get(): { name: string; help: string; type: string; aggregator: string; values: Value[] } {
    const { name, help, type, aggregator } = this
    const family = this.#gathering.family(this.#metric.name)
    return { name, help, type, aggregator, values: family === undefined ? [] : values(family) }
  }

  /** What was counted stays: others read it too. */
  reset(): void {}
}

function values(family: Family): Value[] {
  if (family.kind !== 'histogram') return family.samples.map(({ labels, value }) => ({ labels, value }))
  const named = (suffix: string) => ({ metricName: `${family.name}_${suffix}` })
  return family.samples.flatMap(({ labels, value: { buckets, sum, count } }) => [
    ...buckets.map(({ le, count }) => ({ ...named('bucket'), labels: { ...labels, le: bound(le) }, value: count })),
    { ...named('sum'), labels, value: sum },
    { ...named('count'), labels, value: count },
  ])
}

/**
 * Has a registry of prom-client's tell of what all guards, breakers and registries of this process have counted, as it
 * stands at each reading. In a cluster, those of its processes are added up.
 *
 * @throws InvalidPolicy where `register` is no registry; an error of the registry where it tells of them already
 *
 * @example
 * import { collectMetrics } from 'overcurrent/prom-client'
 * import { register } from 'prom-client'
 *
 * collectMetrics()
 * console.log(await register.metrics())
 */
export function collectMetrics(options: CollectOptions = {}): void {
  const { register = global } = only('options', options, ['register'])
  if (typeof register?.registerMetric !== 'function') refuse('register', register, 'must be a registry of prom-client')
  const gathering = new Gathering()
  // A registry asks no more of a metric than this.
  for (const metric of METRICS) register.registerMetric(new Collected(metric, gathering) as never)
}
