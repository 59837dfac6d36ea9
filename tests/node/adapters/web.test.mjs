/** Express and Fastify answer for a breaker that is open. */
import express from 'express'
import fastify from 'fastify'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BreakerOpen, Guard, ManualClock } from 'overcurrent'
import * as express_ from 'overcurrent/express'
import * as fastify_ from 'overcurrent/fastify'

/** Applications with the same routes; each answers how to get a path. `passed` gets what went on to the next handler. */
const APPLICATIONS = {
  async express(t, payments, passed) {
    const app = express().set('env', 'test')
    app.get('/pay', async (request, response) => response.json(await payments.call(() => 'paid')))
    app.get('/begun', async (request, response) => {
      response.write('begun')
      response.json(await payments.call(() => 'paid'))
    })
    app.get('/own', () => {
      throw Object.assign(new Error('own'), { status: 418 })
    })
    app.use(express_.breakerOpen())
    app.use((error, request, response, next) => {
      if (!response.headersSent) return response.status(error.status).end(error.message)
      passed.push(error)
      next(error)
    })
    const server = await new Promise(resolve => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server))
    })
    t.after(() => server.close())
    return path => fetch(`http://127.0.0.1:${server.address().port}${path}`)
  },
  async fastify(t, payments, passed) {
    const app = fastify()
    app.setErrorHandler((error, request, reply) => reply.code(error.statusCode).send(error.message))
    app.register(async part => {
      part.register(fastify_.breakerOpen)
      part.get('/pay', () => payments.call(() => 'paid'))
      part.get('/begun', async (request, reply) => {
        reply.hijack()
        reply.raw.write('begun')
        await payments.call(() => 'paid').catch(error => (passed.push(error), reply.raw.destroy(error)))
      })
      part.get('/own', () => {
        throw Object.assign(new Error('own'), { statusCode: 418 })
      })
    })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    t.after(() => app.close())
    return path => fetch(`${url}${path}`)
  },
}

for (const [name, made] of Object.entries(APPLICATIONS)) {
  /** An application whose breaker is open for a time, and how to get a path. */
  async function opened(t, trip = 1500) {
    const clock = new ManualClock()
    const payments = new Guard('payments', { clock })
    if (trip === null) payments.breaker.forceOpen()
    else payments.breaker.trip(trip)
    const passed = []
    return { clock, passed, get: await made(t, payments, passed) }
  }

  test(`${name}: a rejection is answered with 503`, async t => {
    const { clock, get } = await opened(t)
    const response = await get('/pay')
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '2'])
    const text = await response.text()
    assert.match(text, /Service Unavailable/)
    assert.doesNotMatch(text, /payments/)
    clock.advance(1500)
    assert.equal((await get('/pay')).status, 200)
  })

  test(`${name}: a rejection of unknown length says no time`, async t => {
    const { get } = await opened(t, null)
    const response = await get('/pay')
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, null])
  })

  test(`${name}: other errors go on`, async t => {
    const { get } = await opened(t)
    const response = await get('/own')
    assert.deepEqual([response.status, await response.text()], [418, 'own'])
  })

  test(`${name}: a response that has begun is not begun again`, async t => {
    const { get, passed } = await opened(t)
    const response = await get('/begun')
    assert.equal(response.status, 200)
    await assert.rejects(response.text())
    assert.deepEqual(passed.map(error => error instanceof BreakerOpen), [true])
  })
}
