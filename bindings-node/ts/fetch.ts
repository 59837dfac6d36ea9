/**
 * A guarded `fetch`. Requests go through guards, each server's own.
 *
 * An attempt is over with the head of the response; its body is read by whoever asked for it.
 */
import { isReplayable } from './adapters/body.js'
import { Carrier } from './adapters/carrier.js'
import { Exchange, HTTP_OPTIONS, Keys, type HttpOptions, type Told } from './adapters/exchange.js'
import { Guards, authority } from './adapters/guards.js'
import type { Context } from './attempt.js'
import { refuse } from './errors.js'
import type { Result } from './judge.js'
import type { HttpRequest } from './native.js'

/** What a guarded `fetch` can be given. */
export type FetchOptions = HttpOptions & {
  /** What sends the requests; the global `fetch` by default. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

class FetchExchange extends Exchange<Response> {
  constructor(
    request: HttpRequest,
    private readonly fetch: (context: Context, signal: AbortSignal) => Promise<Response>,
    private readonly caller: AbortSignal | null | undefined,
  ) {
    super(request)
  }

  async send(context: Context): Promise<Response> {
    const response = await this.fetch(context, this.signal(context, this.caller))
    this.keep(context, response, (response as Response | undefined)?.body)
    return response
  }

  protected told(result: Result): Told {
    if ('error' in result) return 'no answer'
    // The stand-in of a test may be no whole response, or none at all.
    const { status, headers } = (result.value ?? {}) as Partial<Response>
    if (typeof status !== 'number') return 'own fault'
    const retryAfter = typeof headers?.get === 'function' ? headers.get('retry-after') : undefined
    return { status, retryAfter: retryAfter ?? undefined }
  }

  protected close(response: Response | undefined): void {
    // Nobody waits for that, and it may be read already; that of another library may be no stream of the web.
    const body = response?.body
    if (typeof body?.cancel === 'function') body.cancel().catch(() => undefined)
  }
}

/** Whether it is a request: of this `fetch`, of a library's, or of another realm. */
function isRequest(input: unknown): input is Request {
  return typeof input === 'object' && input !== null && 'url' in input && 'method' in input
}

/**
 * A `fetch` whose requests go through guards, by default one for each server, by host and port.
 *
 * What is tried again are requests whose method is idempotent or that have an `Idempotency-Key`, and whose body can
 * be sent again. `Retry-After` is heeded. The last response comes back as it is, also one that tells of a failure.
 * The caller's `signal` ends the call at once.
 *
 * @param options the policy of each guard, or `guards`; `idempotencyKey`, whether requests get one; `fetch`, what
 * sends them
 * @throws InvalidPolicy naming the option, the value and the rule it breaks
 *
 * @example
 * const fetch = guardedFetch({ attemptTimeout: '2s' })
 * const response = await fetch(url)
 */
export function guardedFetch(options: FetchOptions = {}): typeof globalThis.fetch {
  const { fetch: inner } = options
  if (inner !== undefined && typeof inner !== 'function') refuse('fetch', inner, 'must be a function')
  const guards = new Guards(options, [...HTTP_OPTIONS, 'fetch'])
  const keys = new Keys(options)

  return async function fetch(input, options) {
    // Nothing may be `null` too.
    const init = options ?? {}
    const given = isRequest(input) ? input : undefined
    // What is wrong with the request itself is said here, and no guard hears of it.
    if (given?.bodyUsed && init.body == null) throw new TypeError('the body of the request was read already')
    const url = new URL(given?.url ?? String(input))
    const headers = new Headers(init.headers ?? given?.headers)
    const body = init.body ?? given?.body ?? null
    const { method } = new Request(url, {
      // Another `fetch` may take more than this one does.
      ...(inner === undefined && init),
      headers: {},
      signal: null,
      method: init.method ?? given?.method ?? 'GET',
      body: init.body instanceof ReadableStream ? init.body : body && '',
    })
    const has = headers.has(keys.header)
    const request = {
      method,
      hasIdempotencyKey: keys.known(has),
      hasReplayableBody: init.body == null ? body === null : isReplayable(init.body),
    }
    const caller = init.signal === undefined ? given?.signal : init.signal
    const carrier = new Carrier(name => headers.has(name))
    const send = ({ idempotencyKey }: Context, signal: AbortSignal) => {
      const sent = new Headers(headers)
      if (keys.adds(has)) sent.set(keys.header, idempotencyKey)
      carrier.add((name, value) => sent.set(name, value))
      return (inner ?? globalThis.fetch)(input, { ...init, headers: sent, signal })
    }
    const exchange = new FetchExchange(request, send, caller)
    const guard = guards.guard(() => authority(url))
    return exchange.call(guard, context => exchange.send(context), { signal: caller ?? undefined })
  }
}
