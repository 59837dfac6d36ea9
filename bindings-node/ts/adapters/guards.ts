/**
 * Which guard a call of an adapter goes through.
 */
import { refuse } from '../errors.js'
import { Guard } from '../guard.js'
import { native } from '../native.js'
import { without } from '../options.js'
import { Registry, type RegistryOptions } from '../registry.js'

/** A guard for each key, or one guard for all; or the options of a registry of its own. */
export type GuardsOptions =
  | ({ readonly guards: Registry | Guard } & { readonly [name in keyof RegistryOptions]?: undefined })
  | ({ readonly guards?: undefined } & RegistryOptions)

/** What a call is kept under: a server, as the core names it. */
export function authority({ protocol, hostname, port }: URL): string {
  return native.httpAuthority(protocol.slice(0, -1), hostname, port === '' ? undefined : Number(port))
}

export class Guards {
  readonly #guards: Registry | Guard

  /** `own` names the options that are the adapter's. */
  constructor(options: GuardsOptions, own: readonly string[]) {
    for (const [type, kind] of [[Guard, 'a guard'], [Registry, 'a registry']] as const)
      if (options instanceof type) refuse('options', kind, 'must be `{ guards }`')
    const { guards } = options
    const policy = without(options, ['guards', ...own]) as RegistryOptions
    if (guards === undefined) {
      this.#guards = new Registry(policy)
      return
    }
    if (!(guards instanceof Registry || guards instanceof Guard)) refuse('guards', guards, 'must be a `Registry` or a `Guard`')
    const extra = Object.entries(policy).find(([, value]) => value !== undefined)
    if (extra !== undefined) refuse(extra[0], extra[1], 'cannot be set beside `guards`')
    this.#guards = guards
  }

  /** The guard of a key, which is asked for only where there are several. */
  guard(key: () => string): Guard {
    return this.#guards instanceof Guard ? this.#guards : this.#guards.guard(key())
  }
}
