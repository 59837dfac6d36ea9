/**
 * What one thread hands to another: plain data that names a guard or a breaker of this process.
 */
import { refuse } from './errors.js'
import type { Time } from './clock.js'
import { sharing } from './hearing.js'
import { native } from './native.js'

/** Names a guard or a breaker for the other threads of this process; fit for `workerData` and `postMessage`. */
export interface Token<Kind extends 'guard' | 'breaker'> {
  readonly overcurrent: Kind
  readonly name: string
  readonly id: string
}

/** A token of what the native side keeps under `handle`. */
export function tokenOf<Kind extends 'guard' | 'breaker'>(
  kind: Kind,
  name: string,
  handle: number,
  time: Time,
): Token<Kind> {
  if (time.handle !== undefined) refuse('clock', 'a manual clock', 'cannot be shared with other threads')
  sharing()
  return { overcurrent: kind, name, id: native.share(handle) }
}

/** What `find` makes of a token. */
export function foundBy<T>(token: unknown, kind: 'guard' | 'breaker', find: (id: string) => T | null): T {
  const { overcurrent, id } = (token ?? {}) as Partial<Token<'guard' | 'breaker'>>
  if (overcurrent !== kind || typeof id !== 'string') refuse('token', token, `must come from \`share\` of a ${kind}`)
  sharing()
  return find(id) ?? refuse('token', id, `must be of a ${kind} that this process still has`)
}
