/**
 * Guards by key, all of one policy.
 *
 * The core keeps the guards. A `Guard` of a key reaches its own by the key, so the registry knows what is idle
 * without asking the garbage collector.
 *
 * INVARIANT: a key has one `Guard` at a time, as long as somebody holds it.
 */
import { budgetOf } from './budget.js'
import { Breaker } from './breaker.js'
import { told } from './channels.js'
import type { Time } from './clock.js'
import { RegistryFull, accepted, refuse } from './errors.js'
import { Guard, isClosed, opened, type DocumentOptions, type GuardOptions } from './guard.js'
import { INSPECT, shownAs } from './inspect.js'
import { Judge } from './judge.js'
import { metricsOf, type Metrics } from './metrics.js'
import { native, own, type Brought, type Full, type GuardShape, type Refused } from './native.js'
import { MEASURED, kept, live, replaced, timing, without } from './options.js'
import type { BreakerPolicy } from './policy.js'
import { taken } from './retry.js'

/** What can be set of a registry itself. */
interface Bounds {
  /** What the names of its guards begin with, before a slash; nothing by default. */
  readonly name?: string | undefined
  /** How many guards it may hold, at least 1; 10 000 by default. */
  readonly capacity?: number | undefined
}

/** Those of each guard, and of the registry itself. A budget among them is one for all keys; breakers are not shared. */
export type RegistryOptions = Omit<GuardOptions, 'breaker'> & Bounds & { readonly breaker?: BreakerPolicy | boolean | undefined }

const BOUNDS = ['name', 'capacity']
const CAPACITY = 10_000

/** Reads the policy of a registry from a document. */
type Reader = (name: string | undefined, capacity: unknown, brought: Brought) => number | Refused

/**
 * Guards by key, all of one policy and no more than so many: one for each host, tenant or shard.
 *
 * A key's guard is made when it is first asked for. Where there is no room, a new key takes the place of one that is
 * idle: no call of it is under way, nobody listens to it, it has not been asked for lately, and its breaker is
 * closed. So a breaker that rejects is never forgotten; what is forgotten and made anew has counted nothing. While
 * anybody holds a guard, its key gives the same object.
 *
 * The name of a guard is that of the registry, a slash and the key (`hosts/api.example:443`), or the key alone where
 * the registry has no name. As a registry is bounded, so are the names in logs and metrics.
 *
 * @example
 * const hosts = new Registry({ name: 'hosts', attemptTimeout: '2s' })
 * const page = await hosts.guard(host).call(({ signal }) => fetch(`https://${host}/`, { signal }))
 */
export class Registry {
  readonly #handle: number
  readonly #time: Time
  /** What each guard is made with. */
  readonly #options: DocumentOptions
  /** The guards that somebody may hold, by their names. */
  readonly #held = new Map<string, WeakRef<Guard>>()
  readonly #lost = new FinalizationRegistry<string>(name => {
    if (this.#held.get(name)?.deref() === undefined) this.#held.delete(name)
  })

  /**
   * An empty registry.
   * @throws InvalidPolicy naming the option, the value and the rule it breaks
   */
  constructor(options?: RegistryOptions)
  /** @internal the registry of a document */
  constructor(options: DocumentOptions & Bounds, reader: Reader)
  constructor(options: RegistryOptions = {}, reader?: Reader) {
    if (typeof options === 'string') refuse('options', options, 'must be an object: the name stands in it')
    const { name, capacity = CAPACITY, on, ignore, classify, clock, ref, breaker, retry } = options ?? {}
    if (name !== undefined && typeof name !== 'string') refuse('name', name, 'must be a text')
    if (breaker instanceof Breaker)
      refuse('breaker', 'a breaker', 'must be a policy in a registry, each key has a breaker of its own')
    const { seed, time } = live(options ?? {})
    kept(options ?? {})
    const hooks = { on, ignore, classify }
    new Judge(hooks)
    let policy = without(options, [...MEASURED, ...BOUNDS])
    const parts = typeof retry === 'object' ? taken(retry) : undefined
    if (parts !== undefined) policy = replaced(policy, 'retry', parts.policy)
    const budget = parts?.budget && budgetOf(parts.budget)
    if (budget !== undefined && budget.time !== time)
      refuse('clock', 'another', 'must be the clock of the shared budget')
    const brought = {
      clock: time.handle,
      seed,
      breaker: undefined,
      budget: budget?.handle,
      durations: timing(options ?? {}),
      measured: true,
      now: time.now(),
    }
    const made = reader?.(name, capacity, brought) ?? native.registryNew(name, capacity, policy, brought)
    this.#handle = own(this, accepted(made))
    this.#time = time
    // The retry brings its hooks and its budget along.
    this.#options = { ...hooks, clock, ref, ...(parts && { retry }) }
  }

  /**
   * A registry for guards of the policy `policy` in a policy file, TOML or JSON.
   * @throws InvalidPolicy where it holds no such valid policy; what reading the file throws
   */
  static fromFile(path: string | URL, policy: string, options: DocumentOptions & Bounds = {}): Registry {
    const { file, text } = opened(path)
    const [extra] = Object.keys(without(options, [...MEASURED, ...BOUNDS]) as object)
    if (extra !== undefined) refuse(extra, extra, 'cannot be set beside a document')
    return new Registry(options, (name, capacity, brought) =>
      native.registryRead(file, text, policy, name, capacity, brought),
    )
  }

  /**
   * The guard of a key, which is made if it is not there.
   * @throws RegistryFull where there is no room, and no guard is idle
   */
  guard(key: string): Guard {
    const name = this.#named(key)
    return this.#known(name) ?? this.#seen(name)
  }

  /** The guard of a key if it is there, else `undefined`; none is made. */
  get(key: string): Guard | undefined {
    const name = this.#named(key)
    return native.registryHas(this.#handle, name) ? (this.#known(name) ?? this.#seen(name)) : undefined
  }

  /** Whether the guard of a key is there. */
  has(key: string): boolean {
    return native.registryHas(this.#handle, this.#named(key))
  }

  /** The keys that are there now. */
  keys(): IterableIterator<string> {
    return native.registryKeys(this.#handle).values()
  }

  /** The guards that are there now; one that makes room meanwhile is left out. */
  *values(): IterableIterator<Guard> {
    for (const key of this.keys()) {
      const guard = this.get(key)
      if (guard !== undefined) yield guard
    }
  }

  /** The keys that are there now. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.keys()
  }

  /** How many guards are there. */
  get size(): number {
    return native.registryExtent(this.#handle).size
  }

  /** How many guards it may hold. */
  get capacity(): number {
    return native.registryExtent(this.#handle).capacity
  }

  /** How many guards have made room for others. */
  get evictions(): number {
    return native.registryExtent(this.#handle).evictions
  }

  /** @internal */
  [INSPECT](): object {
    return shownAs(this, { ...native.registryExtent(this.#handle) })
  }

  /** What it and its guards, as they are there now, have counted; under a name of its own how many made room. */
  metrics(): Metrics {
    return metricsOf(this.#handle)
  }

  #named(key: string): string {
    return typeof key === 'string' ? native.registryNamed(this.#handle, key) : refuse('key', key, 'must be a text')
  }

  #known(name: string): Guard | undefined {
    const guard = this.#held.get(name)?.deref()
    return guard === undefined || isClosed(guard) ? undefined : guard
  }

  #seen(name: string): Guard {
    const entered = told(() => native.registryEnter(this.#handle, name, this.#time.now()))
    if ('capacity' in entered) throw new RegistryFull(entered satisfies Full)
    const shape: GuardShape = accepted(entered)
    const guard = new Guard(name, this.#options, () => shape)
    this.#held.set(name, new WeakRef(guard))
    this.#lost.register(guard, name)
    return guard
  }
}
