/**
 * One guarded call, as long as nothing is wrong: it enters while the breaker is closed, and the success of its
 * first attempt is counted in place. Whatever else happens, `Running` goes on with it.
 *
 * INVARIANT: what a call comes to is the same on both ways.
 */
import { Attempt, attempted, type Context } from './attempt.js'
import type { CallOptions } from './callers.js'
import type { GuardCore } from './guard-core.js'
import { tell } from './hearing.js'
import { Running, scope } from './running.js'
import { callable } from './wrap.js'

type Fn<T> = (context: Context) => T
type Resolve<T> = (value: Awaited<T>) => void
type Reject = (reason: unknown) => void

/** Calls `fn` under a guard, in an attempt of an `outer` one if there is such. */
export function run<T>(
  guard: GuardCore,
  fn: Fn<T>,
  options: CallOptions | undefined,
  outer?: Attempt,
): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => {
    callable(fn)
    if (options === undefined && outer === undefined) first(guard, fn, resolve, reject)
    else new Running(guard, fn, resolve, reject).start(options, outer)
  })
}

/** A call that its caller cannot end. */
function first<T>(guard: GuardCore, fn: Fn<T>, resolve: Resolve<T>, reject: Reject): void {
  const started = guard.started()
  const epoch = guard.enter()
  const { calls, limit } = guard
  if (epoch < 0) {
    if (calls.closed !== undefined) reject(calls.closed)
    else new Running(guard, fn, resolve, reject).begin(started)
    return
  }
  const here = limit === Infinity ? undefined : scope()
  let running: Running<T> | undefined
  const adopted = () => {
    if (running === undefined) {
      running = new Running(guard, fn, resolve, reject)
      running.adopt(attempt, epoch, started, here)
    }
    return running
  }
  const attempt = new Attempt(guard, 1, started + limit, adopted)
  calls.underway++
  guard.deadlines.add(attempt)

  const returned = (value: unknown) => {
    if (running !== undefined || !guard.trustsValues) return adopted().returned(attempt, value)
    const now = guard.ended()
    if (now >= attempt.due) return adopted().returned(attempt, value)
    attempt.queue!.delete(attempt)
    const quick = guard.succeeded(epoch, started, now)
    calls.ended()
    resolve(value as Awaited<T>)
    if (!quick) tell()
  }
  const raised = (error: unknown) => adopted().raised(attempt, error)

  attempted(attempt, fn, returned, raised)
}
