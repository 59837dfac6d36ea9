/**
 * A guarded adapter for axios. Requests go through guards, each server's own.
 */
import type { AxiosAdapter, AxiosError, AxiosResponse, InternalAxiosRequestConfig } from 'axios'
import { isReplayable } from './adapters/body.js'
import { Carrier } from './adapters/carrier.js'
import { Exchange, HTTP_OPTIONS, Keys, type HttpOptions, type Told } from './adapters/exchange.js'
import { Guards, authority } from './adapters/guards.js'
import type { Context } from './attempt.js'
import { refuse } from './errors.js'
import type { Result } from './judge.js'

/** Codes of errors that say that the request could not be sent at all, or that somebody gave up. */
const OWN = new Set([
  'ERR_BAD_OPTION',
  'ERR_BAD_OPTION_VALUE',
  'ERR_BAD_REQUEST',
  'ERR_CANCELED',
  'ERR_FORM_DATA_DEPTH_EXCEEDED',
  'ERR_INVALID_URL',
  'ERR_NOT_SUPPORT',
])

class AxiosExchange extends Exchange<AxiosResponse> {
  /** The error of the last attempt whose response broke off. */
  #broken: unknown = undefined

  async send(context: Context, adapter: AxiosAdapter, config: InternalAxiosRequestConfig): Promise<AxiosResponse> {
    // One of axios's kind is an `AbortSignal`, or looks like one.
    const signal = this.signal(context, config.signal as AbortSignal | undefined)
    try {
      const response = await adapter({ ...config, signal })
      this.keep(context, response, response.data)
      return response
    } catch (error) {
      const { response } = error as AxiosError
      if (response !== undefined) {
        this.keep(context, response, response.data, error)
        // An error that is not about the status.
        if (config.validateStatus?.(response.status) !== false) this.#broken = error
      }
      throw error
    }
  }

  protected told({ value, error }: Result): Told {
    const failed = error as AxiosError | undefined
    const response = failed?.response ?? (value as AxiosResponse | undefined)
    if (response !== undefined && (failed === undefined || failed !== this.#broken)) {
      // The adapter of a test may leave out what it likes.
      const { status, headers } = response as Partial<AxiosResponse>
      if (typeof status !== 'number') return 'own fault'
      const retryAfter: unknown = headers?.['retry-after']
      return { status, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined }
    }
    return failed?.isAxiosError === true && !OWN.has(failed.code ?? '') ? 'no answer' : 'own fault'
  }

  protected close({ data }: AxiosResponse): void {
    // Only a stream holds its connection.
    if (typeof data?.destroy === 'function') data.destroy()
    else if (typeof data?.cancel === 'function') Promise.resolve(data.cancel()).catch(() => undefined)
  }
}

/** The address of a request, as far as it tells the server. */
function address({ url = '', baseURL, allowAbsoluteUrls = true }: InternalAxiosRequestConfig): URL {
  const base = new URL(baseURL ?? '', 'http://localhost')
  return allowAbsoluteUrls ? new URL(url, base) : base
}

/**
 * An adapter whose requests go through guards, by default one for each server, by host and port.
 *
 * What is tried again are requests whose method is idempotent or that have an `Idempotency-Key`, and whose body can
 * be sent again. `Retry-After` is heeded. What comes back at last is what axios makes of it: a response, or an
 * `AxiosError` that holds one. The `signal` of the request ends the call at once.
 *
 * @param adapter what sends the requests: `axios.getAdapter('http')`, or another one
 * @param options the policy of each guard, or `guards`; `idempotencyKey`, whether requests get one
 * @throws InvalidPolicy naming the option, the value and the rule it breaks
 *
 * @example
 * const client = axios.create({ adapter: guardedAdapter(axios.getAdapter('http'), { attemptTimeout: '2s' }) })
 * const { data } = await client.get(url)
 */
export function guardedAdapter(adapter: AxiosAdapter, options: HttpOptions = {}): AxiosAdapter {
  if (typeof adapter !== 'function') refuse('adapter', adapter, 'must be a function, as `axios.getAdapter` gives it')
  const guards = new Guards(options, HTTP_OPTIONS)
  const keys = new Keys(options)

  return async config => {
    const has = config.headers.has(keys.header)
    const exchange = new AxiosExchange({
      method: config.method ?? 'get',
      hasIdempotencyKey: keys.known(has),
      hasReplayableBody: isReplayable(config.data),
    })
    const guard = guards.guard(() => authority(address(config)))
    const carrier = new Carrier(name => config.headers.has(name))
    const send = (context: Context) => {
      // Adapters change the headers.
      const headers = config.headers.concat()
      if (keys.adds(has)) headers.set(keys.header, context.idempotencyKey)
      carrier.add((name, value) => headers.set(name, value))
      return exchange.send(context, adapter, { ...config, headers })
    }
    return exchange.call(guard, send, { signal: config.signal as AbortSignal | undefined })
  }
}
