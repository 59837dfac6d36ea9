/** On whose behalf a request is made goes with each attempt of it, and is taken from the requests that come in. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { beforeEach, describe, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import express from 'express'
import fastify from 'fastify'
import { ManualClock, TraceContext } from 'overcurrent'
import { guardInterceptor } from 'overcurrent/grpc'
import * as expressly from 'overcurrent/express'
import * as fastly from 'overcurrent/fastify'
import { instrument } from 'overcurrent/opentelemetry'
import { CLIENTS } from './clients.mjs'
import { Orders } from './orders.mjs'
import { Server, answer } from './server.mjs'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
beforeEach(() => exporter.reset())

const came = TraceContext.extract({
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'vendor=1',
  baggage: 'tenant=7',
  'x-correlation-id': 'order-7',
})
const NAMES = ['traceparent', 'tracestate', 'baggage', 'x-correlation-id']

/** Trace and span of the `traceparent` of each request; one that came with two has none. */
const parents = values => values.map(value => /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(value)?.slice(1))

for (const [name, kind] of Object.entries(CLIENTS)) {
  describe(name, () => {
    /** A client that tries again at once, and its server, which fails twice. */
    async function opened(t) {
      const server = await Server.start(t)
      server.will(answer(503), answer(503), answer(200))
      return { server, client: kind.open(t, { clock: new ManualClock(), retry: { budget: false } }) }
    }

    test('nothing is sent where nobody is named', async t => {
      const { server, client } = await opened(t)
      await client.send('GET', server.url)
      for (const name of NAMES) assert.deepEqual(server.header(name), Array(3).fill(undefined))
    })

    test('each attempt is a span of its own in the context that is set', async t => {
      const { server, client } = await opened(t)
      await came.run(() => client.send('GET', server.url))
      const sent = parents(server.header('traceparent'))
      assert.deepEqual(sent.map(([trace]) => trace), Array(3).fill(came.traceId))
      assert.equal(new Set([...sent.map(([, span]) => span), came.spanId]).size, 4)
      for (const name of NAMES.slice(1)) assert.deepEqual(server.header(name), Array(3).fill(came.inject()[name]))
    })

    test('what whoever makes the request has set is left alone', async t => {
      const { server, client } = await opened(t)
      const own = { traceparent: came.child().inject().traceparent }
      await came.run(() => client.send('GET', server.url, { headers: own }))
      assert.deepEqual(server.header('traceparent'), Array(3).fill(own.traceparent))
      for (const name of NAMES.slice(1)) assert.deepEqual(server.header(name), Array(3).fill(undefined))
      server.will(answer(200))
      await came.run(() => client.send('GET', server.url, { headers: { 'X-Correlation-Id': 'mine' } }))
      assert.equal(server.header('x-correlation-id').at(-1), 'mine')
      assert.equal(server.header('baggage').at(-1), 'tenant=7')
    })

    test('with OpenTelemetry the attempt’s span is sent', async t => {
      const { server, client } = await opened(t)
      const tracing = instrument()
      t.after(() => tracing.close())
      await came.run(() => client.send('GET', server.url))
      const spans = exporter.getFinishedSpans().map(span => [span.spanContext().traceId, span.spanContext().spanId])
      assert.deepEqual(parents(server.header('traceparent')), spans)
      assert.deepEqual(spans.map(([trace]) => trace), Array(3).fill(came.traceId))
      for (const name of NAMES.slice(1)) assert.deepEqual(server.header(name), Array(3).fill(came.inject()[name]))
      const types = exporter.getFinishedSpans().map(({ attributes }) => attributes['error.type'])
      assert.deepEqual(types, ['503', '503', undefined])
    })

    test('or none, where that is left to the client', async t => {
      const { server, client } = await opened(t)
      const tracing = instrument({ propagate: false })
      t.after(() => tracing.close())
      await client.send('GET', server.url)
      assert.deepEqual(server.header('traceparent'), Array(3).fill(undefined))
      assert.equal(exporter.getFinishedSpans().length, 3)
    })
  })
}

test('gRPC: the metadata of each attempt', async t => {
  const orders = await Orders.start(t)
  const interceptors = [guardInterceptor(orders.target, { idempotent: () => true })]
  const client = new grpc.Client(orders.target, grpc.credentials.createInsecure(), { interceptors })
  t.after(() => client.close())
  const get = metadata =>
    new Promise((resolve, reject) => {
      const done = (error, reply) => (error ? reject(error) : resolve(reply))
      client.makeUnaryRequest('/test.Orders/Get', Buffer.from, String, 'order', metadata, done)
    })
  await get(new grpc.Metadata())
  await came.run(() => get(new grpc.Metadata()))
  const own = new grpc.Metadata()
  own.set('traceparent', 'mine')
  await came.run(() => get(own))
  const sent = name => orders.seen.map(({ metadata }) => metadata[name])
  const [none, ours, mine] = sent('traceparent')
  assert.deepEqual([none, mine], [undefined, 'mine'])
  const [[trace, span]] = parents([ours])
  assert.equal(trace, came.traceId)
  assert.notEqual(span, came.spanId)
  assert.deepEqual(sent('x-correlation-id'), [undefined, 'order-7', undefined])
})

/** Applications that answer with the correlation id of what they handle, also after they have read a body. */
const APPLICATIONS = {
  async express(t) {
    const app = express()
    app.use(expressly.traceContext(), express.json())
    app.all('/', async (request, response) => {
      await new Promise(setImmediate)
      const { traceId, correlationId } = TraceContext.current()
      response.json([traceId, correlationId, request.body])
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return `http://127.0.0.1:${server.address().port}/`
  },
  async fastify(t) {
    const app = fastify()
    app.register(fastly.traceContext)
    app.all('/', async request => {
      await new Promise(setImmediate)
      const { traceId, correlationId } = TraceContext.current()
      return [traceId, correlationId, request.body ?? undefined]
    })
    t.after(() => app.close())
    return await app.listen({ host: '127.0.0.1', port: 0 })
  },
}

for (const [name, made] of Object.entries(APPLICATIONS)) {
  test(`${name} handles each request on behalf of whom it came from`, async t => {
    const url = await made(t)
    const ask = async (id, body) => {
      const headers = came.withCorrelationId(id).inject({ 'content-type': 'application/json' })
      const sent = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify({ body }) }
      return (await fetch(url, sent)).json()
    }
    const asked = Array.from({ length: 10 }, (_, index) => ask(`order-${index}`, index % 2 ? 'x'.repeat(100_000) : undefined))
    for (const [index, [traceId, correlationId, body]] of (await Promise.all(asked)).entries()) {
      assert.deepEqual([traceId, correlationId], [came.traceId, `order-${index}`])
      assert.equal(body?.body?.length, index % 2 ? 100_000 : undefined)
    }
    const [none] = await (await fetch(url)).json()
    assert.equal(none, null)
  })
}
