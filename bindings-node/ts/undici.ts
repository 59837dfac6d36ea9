/**
 * An interceptor for the dispatchers of undici. Requests go through guards, each server's own.
 */
import type { Dispatcher } from 'undici'
import { isReplayable } from './adapters/body.js'
import { Carrier } from './adapters/carrier.js'
import { Attempt, Course, UndiciExchange } from './adapters/dispatch.js'
import { HTTP_OPTIONS, Keys, type HttpOptions } from './adapters/exchange.js'
import { Guards, authority } from './adapters/guards.js'
import type { Context } from './attempt.js'
import { refuse } from './errors.js'

type Options = Dispatcher.DispatchOptions

/** Headers in any of the forms that undici takes, as names and values in turn. */
function flat(headers: Options['headers']): string[] {
  if (headers == null) return []
  const isFlat = Array.isArray(headers) && headers.every(item => typeof item === 'string')
  if (isFlat) return headers as string[]
  const isIterable = Symbol.iterator in headers
  const pairs = isIterable ? [...(headers as Iterable<[string, unknown]>)] : Object.entries(headers)
  return pairs.flatMap(([name, values]) =>
    [values].flat().flatMap(value => (value === undefined ? [] : [name, String(value)])),
  )
}

/** The server of a request. */
function server({ origin }: Options): string {
  if (origin === undefined) refuse('origin', origin, 'must be set, unless `guards` is one guard')
  return authority(new URL(origin))
}

/**
 * An interceptor whose requests go through guards, by default one for each server, by host and port.
 *
 * What is tried again are requests whose method is idempotent or that have an `Idempotency-Key`, and whose body can
 * be sent again. `Retry-After` is heeded. The last response comes back as it is, also one that tells of a failure.
 * Upgrades and tunnels pass untouched. An attempt is over with the head of the response.
 *
 * @param options the policy of each guard, or `guards`; `idempotencyKey`, whether requests get one
 * @throws InvalidPolicy naming the option, the value and the rule it breaks
 *
 * @example
 * const dispatcher = new Agent().compose(guardInterceptor({ attemptTimeout: '2s' }))
 * const { statusCode, body } = await request(url, { dispatcher })
 */
export function guardInterceptor(options: HttpOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const guards = new Guards(options, HTTP_OPTIONS)
  const keys = new Keys(options)

  return dispatch => (request, handler) => {
    if (request.upgrade || request.method === 'CONNECT') return dispatch(request, handler)
    const headers = flat(request.headers)
    const names = new Set(headers.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase()))
    const has = names.has(keys.header.toLowerCase())
    const carrier = new Carrier(name => names.has(name))
    const exchange = new UndiciExchange({
      method: request.method,
      hasIdempotencyKey: keys.known(has),
      hasReplayableBody: isReplayable(request.body),
    })
    const course = new Course()
    const send = (context: Context): Promise<Attempt> => {
      const sent = keys.adds(has) ? [...headers, keys.header, context.idempotencyKey] : [...headers]
      carrier.add((name, value) => sent.push(name, value))
      return exchange.send(context, course, handler, attempt => dispatch({ ...request, headers: sent }, attempt))
    }
    const made = async (): Promise<Attempt> => {
      const guard = guards.guard(() => server(request))
      return exchange.call(guard, send, { signal: course.signal })
    }
    const failed = (error: Error) => handler.onResponseError?.(course, error)
    try {
      handler.onRequestStart?.(course, {})
    } catch (error) {
      // As undici itself has it.
      failed(error as Error)
      return true
    }
    made().then(attempt => attempt.release(), failed)
    return true
  }
}
