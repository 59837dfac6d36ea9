/** What each HTTP client does in its own way. */
import axios from 'axios'
import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { AttemptTimeout, Guard, InvalidPolicy, Registry } from 'overcurrent'
import { guardedAdapter } from 'overcurrent/axios'
import { guardedFetch } from 'overcurrent/fetch'
import { guardInterceptor } from 'overcurrent/undici'
import { Agent, Client, Request as UndiciRequest, request, stream, fetch as undiciFetch, upgrade } from 'undici'
import { deferred, rejection } from '../tools.mjs'
import { HANG, RESET, Server, answer, until } from './server.mjs'

const THRICE = { maxAttempts: 3, backoff: 'none' }

/** What may stand in for a response in a test; the last ones are failures. */
const STAND_INS = [
  { ok: true },
  { status: 200 },
  { status: 200, headers: {} },
  { status: 503 },
  { status: 503, headers: { 'retry-after': 1 } },
]

describe('fetch', () => {
  test('takes requests and addresses of every kind', async t => {
    const server = await Server.start(t)
    const fetch = guardedFetch({ retry: THRICE })
    server.will(answer(503))
    assert.equal((await fetch(new URL(server.url))).status, 200)
    server.will(answer(503))
    const headers = { 'Idempotency-Key': 'mine' }
    assert.equal((await fetch(new Request(server.url, { method: 'POST', headers }))).status, 200)
    server.will(answer(503))
    assert.equal((await fetch(new Request(server.url, { method: 'POST' }), { method: 'PUT', body: 'order' })).status, 200)
    assert.deepEqual(server.methods, ['GET', 'GET', 'POST', 'POST', 'PUT', 'PUT'])
    assert.deepEqual(server.bodies.slice(4), ['order', 'order'])
  })

  test("takes another library's requests with its `fetch`", async t => {
    const server = await Server.start(t)
    const fetch = guardedFetch({ fetch: undiciFetch, retry: THRICE })
    server.will(answer(503))
    assert.equal((await fetch(new UndiciRequest(server.url, { method: 'DELETE', headers: { one: '1' } }), null)).status, 200)
    assert.deepEqual(server.methods, ['DELETE', 'DELETE'])
    assert.deepEqual(server.header('one'), ['1', '1'])
  })

  test('sends the body of a request once', async t => {
    const server = await Server.start(t)
    server.will(answer(503))
    const response = await guardedFetch({ retry: THRICE })(new Request(server.url, { method: 'PUT', body: 'order' }))
    assert.equal(response.status, 503)
    assert.deepEqual(server.bodies, ['order'])
  })

  test("heeds the signal of a request, unless it is taken away", async t => {
    const server = await Server.start(t)
    const reason = new Error('no more')
    const given = new Request(server.url, { signal: AbortSignal.abort(reason) })
    const fetch = guardedFetch()
    assert.equal(await rejection(fetch(given)), reason)
    assert.equal(server.seen.length, 0)
    assert.equal((await fetch(given, { signal: null })).status, 200)
  })

  test('leaves one listener on a signal, whatever is still to be read', async t => {
    const server = await Server.start(t)
    const fetch = guardedFetch({ retry: THRICE })
    const caller = new AbortController()
    server.will(...Array(20).fill({ parts: ['one', HANG] }))
    const unread = []
    for (let call = 0; call < 20; call++) unread.push(await fetch(server.url, { signal: caller.signal }))
    assert.equal(getEventListeners(caller.signal, 'abort').length, 1)
    let failed = 0
    for (const response of unread) response.text().catch(() => failed++)
    caller.abort(new Error('no more'))
    await until(() => failed === 20 && server.isQuiet)
    assert.equal(getEventListeners(caller.signal, 'abort').length, 0)
  })

  test('closes a response that comes too late', async () => {
    const answered = deferred()
    const cancelled = deferred()
    const fetch = guardedFetch({ fetch: () => answered.promise, retry: false, attemptTimeout: 20, ref: true })
    assert.ok((await rejection(fetch('http://one.test/'))) instanceof AttemptTimeout)
    answered.resolve(new Response(new ReadableStream({ cancel: cancelled.resolve })))
    await cancelled.promise
  })

  test('takes what stands in for a response in a test', async () => {
    for (const given of [...STAND_INS, { status: 503, headers: new Map() }, undefined, null, 'text']) {
      let sent = 0
      const fetch = guardedFetch({ fetch: async () => (sent++, given), retry: THRICE })
      assert.equal(await fetch('http://one.test/'), given)
      assert.equal(sent, given?.status === 503 ? 3 : 1)
    }
  })

  test('says at once what is wrong with a request, or with its own `fetch`', async () => {
    const guard = new Guard('own', { breaker: { consecutiveFailures: 1 } })
    const fetch = guardedFetch({ guards: guard })
    const wrong = [['/relative'], ['http://one.test/', { headers: { 'no\nname': '1' } }], ['http://one.test/', { method: 'CONNECT' }]]
    for (const given of wrong) assert.ok((await rejection(fetch(...given))) instanceof TypeError)
    assert.ok((await rejection(fetch('http://one.test/', { body: 'of a GET' }))) instanceof TypeError)
    const body = ReadableStream.from(['no', 'duplex'])
    for (const init of [{ mode: 'odd' }, { redirect: 'odd' }, { method: 'PUT', body }])
      assert.ok((await rejection(fetch('http://one.test/', init))) instanceof TypeError)
    const used = new Request('http://one.test/', { method: 'PUT', body: 'read' })
    await used.text()
    assert.match((await rejection(fetch(used))).message, /was read already/)
    assert.equal(guard.breaker.state, 'closed')
    assert.throws(() => guardedFetch({ fetch: 1 }), InvalidPolicy)
  })
})

describe('axios', () => {
  test('takes what stands in for a response in a test', async () => {
    for (const given of STAND_INS) {
      let sent = 0
      const adapter = guardedAdapter(async () => (sent++, given), { retry: THRICE })
      assert.equal(await axios.create({ adapter }).get('http://one.test/').then(({ status }) => status), given.status)
      assert.equal(sent, given.status === 503 ? 3 : 1)
    }
  })

  test('a body that breaks off is no answer, whatever the status', async t => {
    const server = await Server.start(t)
    const guard = new Guard('own', { retry: THRICE, breaker: { consecutiveFailures: 4 } })
    const client = axios.create({ adapter: guardedAdapter(axios.getAdapter('http'), { guards: guard }) })
    const broken = { headers: { 'content-length': '100' }, parts: ['one', RESET], gap: 20 }
    server.will(broken, broken)
    assert.equal((await client.get(server.url)).data, 'well')
    server.will(broken, answer(204))
    const validateStatus = status => status !== 204
    assert.equal((await rejection(client.get(server.url, { validateStatus }))).response.status, 204)
    assert.equal(server.seen.length, 5, 'what is only not wanted is an answer')
    server.will(...Array(4).fill(broken))
    await rejection(client.post(server.url))
    assert.equal(server.seen.length, 6)
    await rejection(client.get(server.url))
    assert.equal(guard.breaker.state, 'open')
  })

  test('its own errors, JSON and base addresses', async t => {
    const server = await Server.start(t)
    const guards = new Registry({ retry: THRICE })
    const adapter = guardedAdapter(axios.getAdapter('http'), { guards })
    const client = axios.create({ adapter, baseURL: `${server.url}api/` })
    server.will(answer(503), answer(200, { 'content-type': 'application/json' }, '{"order":7}'))
    const { data } = await client.put('orders', { order: 7 })
    assert.deepEqual(data, { order: 7 })
    assert.deepEqual(server.bodies, ['{"order":7}', '{"order":7}'])
    assert.deepEqual(server.seen.map(({ url }) => url), ['/api/orders', '/api/orders'])
    server.will(answer(500, {}, 'why'), answer(500, {}, 'why'), answer(500, {}, 'why'))
    const error = await rejection(client.get('orders'))
    assert.ok(axios.isAxiosError(error))
    assert.deepEqual([error.response.status, error.response.data], [500, 'why'])
    assert.deepEqual([...guards], [server.host])
    await client.get(`http://localhost:${new URL(server.url).port}/`)
    assert.equal(guards.size, 2)
  })

  test('sends a form that is a stream once', async t => {
    const server = await Server.start(t)
    const client = axios.create({ adapter: guardedAdapter(axios.getAdapter('http'), { retry: THRICE }) })
    const form = Object.assign(Readable.from(['order']), { [Symbol.toStringTag]: 'FormData' })
    server.will(answer(503))
    assert.equal((await rejection(client.put(server.url, form))).response.status, 503)
    assert.deepEqual(server.bodies, ['order'])
  })

  test('an adapter is needed', () => assert.throws(() => guardedAdapter('http'), InvalidPolicy))
})

describe('undici', () => {
  test('serves a `fetch` through it, whose body is sent once', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(guardInterceptor({ retry: THRICE }))
    server.will(answer(503))
    const got = await undiciFetch(server.url, { dispatcher })
    assert.deepEqual([got.status, await got.text()], [200, 'well'])
    server.will(answer(503, {}, 'why'))
    const put = await undiciFetch(server.url, { dispatcher, method: 'PUT', body: 'order' })
    assert.deepEqual([put.status, await put.text()], [503, 'why'])
    assert.deepEqual(server.bodies, ['', '', 'order'])
  })

  test('headers of every form', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(guardInterceptor({ idempotencyKey: true }))
    const forms = [
      { one: '1', two: ['2', '3'], none: undefined },
      ['one', '1', 'two', '2', 'two', '3'],
      new Map([['one', '1'], ['two', '2, 3']]),
    ]
    for (const headers of forms) await (await request(server.url, { dispatcher, headers })).body.dump()
    for (const { headers } of server.seen) {
      assert.deepEqual([headers.one, headers.two, headers.none], ['1', '2, 3', undefined])
      assert.match(headers['idempotency-key'], /^\S{16,}$/)
    }
    assert.equal(new Set(server.header('idempotency-key')).size, 3)
  })

  test('a client that does not say where its requests go needs one guard', async t => {
    const server = await Server.start(t)
    const client = new Client(server.url)
    t.after(() => client.destroy())
    const send = options => client.compose(guardInterceptor(options)).request({ path: '/', method: 'GET' })
    assert.equal((await rejection(send({}))).path, 'origin')
    const { body } = await send({ guards: new Guard('own') })
    assert.equal(await body.text(), 'well')
  })

  test('a large body waits for its reader', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(guardInterceptor())
    const part = 'x'.repeat(100_000)
    server.will({ parts: Array(20).fill(part) })
    const { body } = await request(server.url, { dispatcher })
    let length = 0
    for await (const chunk of body) length += chunk.length
    assert.equal(length, 2_000_000)
  })

  test('a handler may pause at the head of the response', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(guardInterceptor({ retry: THRICE }))
    server.will(answer(503), { parts: ['one'] })
    const [begun, ended] = [deferred(), deferred()]
    const heard = []
    const handler = {
      onRequestStart: () => heard.push('start'),
      onResponseStart(controller, status) {
        heard.push(status)
        controller.pause()
        begun.resolve(controller)
      },
      onResponseData: (_controller, chunk) => heard.push(String(chunk)),
      onResponseEnd: () => ended.resolve(),
      onResponseError: (_controller, error) => ended.reject(error),
    }
    dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, handler)
    const controller = await begun.promise
    await until(() => server.isQuiet)
    assert.deepEqual([heard, controller.paused], [['start', 200], true])
    controller.resume()
    await ended.promise
    assert.deepEqual(heard, ['start', 200, 'one'])
    assert.deepEqual([controller.aborted, controller.reason], [false, null])
  })

  test('a handler that throws has its request fail, as without guards', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const mine = new Error('mine')
    const broken = () => {
      throw mine
    }
    for (const dispatcher of [agent, agent.compose(guardInterceptor({ retry: THRICE }))]) {
      assert.equal(await rejection(stream(server.url, { dispatcher, method: 'GET' }, broken)), mine)
      for (const place of ['onRequestStart', 'onResponseStart', 'onResponseData']) {
        const heard = deferred()
        const handler = { onRequestStart() {}, onResponseError: (_controller, error) => heard.resolve(error), [place]: broken }
        dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, handler)
        assert.equal(await heard.promise, mine, place)
      }
      await until(() => server.isQuiet)
    }
  })

  test('an upgrade passes untouched', async t => {
    const server = createServer().on('upgrade', (_request, socket) => {
      socket.end('HTTP/1.1 101 Told\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const agent = new Agent()
    t.after(() => agent.destroy())
    const guard = new Guard('own')
    guard.breaker.forceOpen()
    const dispatcher = agent.compose(guardInterceptor({ guards: guard }))
    const url = `http://127.0.0.1:${server.address().port}/`
    const { socket } = await upgrade(url, { dispatcher, protocol: 'own' })
    socket.destroy()
  })

  test('a body whose reader gives up ends the exchange', async t => {
    const server = await Server.start(t)
    const agent = new Agent()
    t.after(() => agent.destroy())
    const dispatcher = agent.compose(guardInterceptor())
    server.will({ parts: ['one', 'two'], gap: 200 })
    const { body } = await request(server.url, { dispatcher })
    body.on('error', () => {}).destroy(new Error('no more'))
    await until(() => server.isQuiet)
  })
})
