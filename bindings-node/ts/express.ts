/**
 * Express answers for a breaker that is open: 503, and Retry-After where the time is known. And it knows on whose behalf
 * it handles a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS, TEXT, retryAfter } from './adapters/unavailable.js'
import { BreakerOpen } from './errors.js'
import { TraceContext } from './trace-context.js'

export { retryAfter }

/**
 * Middleware for errors: answers a `BreakerOpen` with 503, and with Retry-After in whole seconds, rounded up, where
 * the time is known. Other errors go on, and so does one that comes when the response has begun. It belongs after
 * the routes.
 *
 * @example
 * app.get('/pay', async (request, response) => response.json(await payments.call(pay)))
 * app.use(breakerOpen())
 */
export function breakerOpen(): (
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void {
  // Express knows it by its four parameters.
  return (error, _request, response, next) => {
    if (!(error instanceof BreakerOpen) || response.headersSent) return next(error)
    response.writeHead(STATUS, { 'content-type': 'text/plain; charset=utf-8', ...retryAfter(error) }).end(TEXT)
  }
}

/**
 * Middleware that handles each request on behalf of the `TraceContext` that its headers tell; it may say nothing. It
 * belongs before the routes.
 *
 * @example
 * app.use(traceContext())
 */
export function traceContext(): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  return ({ headers }, _response, next) => TraceContext.extract(headers).run(next)
}
