/**
 * Fastify answers for a breaker that is open: 503, and Retry-After where the time is known. And it knows on whose behalf
 * it handles a request.
 */
import type { FastifyPluginCallback } from 'fastify'
import { STATUS, TEXT, retryAfter } from './adapters/unavailable.js'
import { BreakerOpen } from './errors.js'
import { TraceContext } from './trace-context.js'

export { retryAfter }

/**
 * A plugin: where a route throws `BreakerOpen`, it is answered with 503, and with Retry-After in whole seconds,
 * rounded up, where the time is known. Other errors are thrown on to the handler that was there before. It sets the
 * error handler of the instance that it is registered with; one of your own there can use `retryAfter` instead.
 *
 * @example
 * app.register(breakerOpen)
 * app.get('/pay', () => payments.call(pay))
 */
export const breakerOpen: FastifyPluginCallback = (app, _options, done) => {
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof BreakerOpen)) throw error
    return reply.code(STATUS).headers(retryAfter(error)).send({ statusCode: STATUS, error: TEXT, message: TEXT })
  })
  done()
}

/**
 * A plugin: each request is handled on behalf of the `TraceContext` that its headers tell; it may say nothing.
 *
 * @example
 * app.register(traceContext)
 */
export const traceContext: FastifyPluginCallback = (app, _options, done) => {
  app.addHook('onRequest', ({ headers }, _reply, next) => TraceContext.extract(headers).run(next))
  done()
}

// For the instance that registers them, not for one of their own.
for (const plugin of [breakerOpen, traceContext]) Object.defineProperty(plugin, Symbol.for('skip-override'), { value: true })
