/** What holds for every HTTP client that goes through guards. The servers say what arrived. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { AttemptTimeout, BreakerOpen, DeadlineExceeded, Guard, InvalidPolicy, ManualClock, Registry, callInfo } from 'overcurrent'
import { disabled, instant } from 'overcurrent/testing'
import { rejection } from '../tools.mjs'
import { CLIENTS } from './clients.mjs'
import { HANG, RESET, Server, answer, until } from './server.mjs'

const THRICE = { maxAttempts: 3, backoff: 'none' }
const ONE_FAILURE = { consecutiveFailures: 1 }
const KEY = 'idempotency-key'

/** Guards that try three times without waiting. */
const guards = options => new Registry({ retry: THRICE, ...options })

for (const [name, kind] of Object.entries(CLIENTS)) {
  describe(name, () => {
    const open = (t, options = { retry: THRICE }) => kind.open(t, options)

    for (const status of [429, 500, 503]) {
      test(`${status} is tried again`, async t => {
        const server = await Server.start(t)
        server.will(answer(status), answer(status))
        assert.deepEqual(await open(t).send('GET', server.url), { status: 200, body: 'well' })
        assert.deepEqual(server.methods, ['GET', 'GET', 'GET'])
      })
    }

    for (const status of [304, 404, 501]) {
      test(`${status} comes back at once`, async t => {
        const server = await Server.start(t)
        server.will(answer(status))
        assert.equal((await open(t).send('GET', server.url)).status, status)
        assert.equal(server.seen.length, 1)
      })
    }

    test('a connection that is reset is tried again', async t => {
      const server = await Server.start(t)
      server.will(RESET, RESET)
      assert.equal((await open(t).send('GET', server.url)).status, 200)
      assert.equal(server.seen.length, 3)
    })

    test('the last response comes back as it is', async t => {
      const server = await Server.start(t)
      server.will(answer(503, {}, 'first'), answer(500, {}, 'second'), answer(502, {}, 'third'))
      assert.deepEqual(await open(t).send('GET', server.url), { status: 502, body: 'third' })
      assert.equal(server.seen.length, 3)
    })

    test('the last error comes back as the library raised it', async t => {
      const server = await Server.start(t)
      server.will(RESET)
      const error = await rejection(open(t).send('POST', server.url))
      assert.ok(kind.isConnectionError(error), error)
      const { attempts, stop } = callInfo(error)
      assert.deepEqual([attempts, stop], [1, 'not_retryable'])
      assert.equal(server.seen.length, 1)
    })

    for (const method of ['POST', 'PATCH']) {
      test(`${method} is sent once`, async t => {
        const server = await Server.start(t)
        const client = open(t)
        server.will(RESET, answer(503))
        assert.ok(kind.isConnectionError(await rejection(client.send(method, server.url, { body: 'order' }))))
        assert.equal((await client.send(method, server.url, { body: 'order' })).status, 503)
        assert.deepEqual(server.methods, [method, method])
      })
    }

    for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      test(`${method} is sent again, with all of its body`, async t => {
        const server = await Server.start(t)
        server.will(RESET, answer(503))
        const body = method === 'PUT' ? 'all of it' : undefined
        assert.equal((await open(t).send(method, server.url, { body })).status, 200)
        assert.deepEqual(server.methods, [method, method, method])
        assert.deepEqual(server.bodies, Array(3).fill(body ?? ''))
      })
    }

    test('every body that can be sent again is', async t => {
      const Form = kind.form()
      const form = new Form()
      form.set('order', '7')
      const bodies = ['text', Buffer.from('text'), new Uint8Array(Buffer.from('text')), form]
      if (name !== 'undici') bodies.push(new URLSearchParams({ order: '7' }), Uint8Array.from(Buffer.from('text')).buffer)
      if (name === 'fetch') bodies.push(new Blob(['text']))
      for (const body of bodies) {
        const server = await Server.start(t)
        server.will(answer(503), RESET)
        assert.equal((await open(t).send('PUT', server.url, { body })).status, 200)
        const sent = server.bodies.map(body => body.replace(/--+[-.\w]+/g, '--'))
        assert.match(sent[0], /text|order/)
        assert.deepEqual(sent, Array(3).fill(sent[0]))
      }
    })

    test('a body that can be read once is sent once', async t => {
      const server = await Server.start(t)
      server.will(answer(503))
      assert.equal((await open(t).stream('PUT', server.url, ['one ', 'two'])).status, 503)
      assert.deepEqual(server.bodies, ['one two'])
    })

    test("a key of the caller's makes it repeatable, and is sent each time", async t => {
      const server = await Server.start(t)
      server.will(answer(503), RESET)
      const headers = { 'Idempotency-Key': 'mine' }
      assert.equal((await open(t).send('POST', server.url, { headers, body: 'order' })).status, 200)
      assert.deepEqual(server.header(KEY), ['mine', 'mine', 'mine'])
      assert.deepEqual(server.bodies, ['order', 'order', 'order'])
    })

    test('a call has a key of its own where it is asked for', async t => {
      const server = await Server.start(t)
      const client = open(t, { retry: THRICE, idempotencyKey: true })
      for (let call = 0; call < 2; call++) {
        server.will(answer(503), RESET)
        assert.equal((await client.send('POST', server.url, { body: 'order' })).status, 200)
      }
      const keys = server.header(KEY)
      assert.equal(keys.length, 6)
      assert.deepEqual(keys, [...Array(3).fill(keys[0]), ...Array(3).fill(keys[3])])
      assert.match(keys[0], /^\S{16,}$/)
      assert.notEqual(keys[0], keys[3])
      assert.equal((await client.send('POST', server.url, { headers: { [KEY]: 'mine' } })).status, 200)
      assert.equal(server.header(KEY).at(-1), 'mine')
    })

    test('the header of the key can be another', async t => {
      const server = await Server.start(t)
      server.will(answer(503))
      const client = open(t, { retry: THRICE, idempotencyKey: 'X-Request-Id' })
      assert.equal((await client.send('POST', server.url)).status, 200)
      const [first, second] = server.header('x-request-id')
      assert.equal(first, second)
      assert.match(first, /^\S{16,}$/)
      assert.deepEqual(server.header(KEY), [undefined, undefined])
    })

    test('Retry-After is waited for', async t => {
      const server = await Server.start(t)
      const clock = new ManualClock()
      const client = open(t, { clock, retry: { ...THRICE, jitter: 'none' } })
      server.will(answer(503, { 'Retry-After': '2' }), answer(429, { 'Retry-After': '3' }))
      assert.equal((await client.send('GET', server.url)).status, 200)
      assert.equal(clock.nowNs, 5_000_000_000n)
      server.will(answer(503, { 'Retry-After': '61' }))
      assert.equal((await client.send('GET', server.url)).status, 503, 'a hint above the longest that is heeded')
      assert.equal(server.seen.length, 4)
    })

    test('a server that hangs is given up in time', async t => {
      const server = await Server.start(t)
      const client = open(t, { retry: THRICE, attemptTimeout: 100 })
      server.will(HANG, HANG)
      assert.equal((await client.send('GET', server.url)).status, 200)
      server.will(HANG)
      const error = await rejection(client.send('POST', server.url))
      assert.ok(error instanceof AttemptTimeout, error)
      assert.deepEqual(server.methods, ['GET', 'GET', 'GET', 'POST'], 'a timeout does not tell what the server did')
      await until(() => server.isQuiet)
    })

    test('a deadline bounds all attempts', async t => {
      const server = await Server.start(t)
      server.will(HANG, HANG, HANG)
      const client = open(t, { retry: THRICE, attemptTimeout: 200, deadline: 300 })
      const error = await rejection(client.send('GET', server.url))
      assert.ok(error instanceof DeadlineExceeded, error)
      assert.equal(server.seen.length, 2)
    })

    test('the caller gives up', async t => {
      const server = await Server.start(t)
      const registry = guards({ breaker: ONE_FAILURE })
      const client = open(t, { guards: registry })
      server.will(HANG)
      const caller = new AbortController()
      const reason = new Error('no more')
      const sent = rejection(client.send('GET', server.url, { signal: caller.signal }))
      await until(() => server.seen.length === 1)
      caller.abort(reason)
      assert.ok(kind.isAborted(await sent, reason))
      await until(() => server.isQuiet)
      assert.equal(registry.guard(server.host).breaker.state, 'closed')
      assert.equal(server.seen.length, 1)
    })

    test("the caller's signal holds for the body too, and is let go of", async t => {
      const server = await Server.start(t)
      const client = open(t)
      const caller = new AbortController()
      server.will({ parts: ['one', HANG] })
      let error
      client.send('GET', server.url, { signal: caller.signal }).catch(reason => (error = reason))
      await until(() => server.seen.length === 1)
      setTimeout(() => caller.abort(new Error('no more')), 50)
      await until(() => server.isQuiet && error instanceof Error)
      assert.equal(getEventListeners(caller.signal, 'abort').length, 0)
    })

    test('each server has a breaker of its own', async t => {
      const [server, other] = [await Server.start(t), await Server.start(t)]
      const registry = guards({ retry: false, breaker: ONE_FAILURE })
      const client = open(t, { guards: registry })
      server.will(answer(500))
      assert.equal((await client.send('GET', server.url)).status, 500)
      const error = await rejection(client.send('GET', server.url))
      assert.ok(error instanceof BreakerOpen, error)
      assert.equal(error.breaker, server.host)
      assert.equal((await client.send('GET', other.url)).status, 200)
      assert.deepEqual([server.seen.length, other.seen.length], [1, 1])
      assert.deepEqual([...registry].sort(), [server.host, other.host].sort())
    })

    test('one guard may serve for all', async t => {
      const [server, other] = [await Server.start(t), await Server.start(t)]
      const client = open(t, { guards: new Guard('both', { retry: false, breaker: ONE_FAILURE }) })
      server.will(answer(500))
      assert.equal((await client.send('GET', server.url)).status, 500)
      assert.ok((await rejection(client.send('GET', other.url))) instanceof BreakerOpen)
      assert.equal(other.seen.length, 0)
    })

    test('a response is closed before the wait', async t => {
      const server = await Server.start(t)
      const client = open(t, { retry: { maxAttempts: 2, backoff: { constant: { delay: '1h' } }, jitter: 'none' }, deadline: false })
      server.will({ status: 503, parts: ['unread', HANG] })
      const caller = new AbortController()
      const sent = rejection(client.send('GET', server.url, { signal: caller.signal }))
      await until(() => server.seen.length === 1 && server.isQuiet)
      caller.abort(new Error('no more'))
      await sent
      assert.equal(server.seen.length, 1)
    })

    test('hooks of the guards are asked first', async t => {
      const server = await Server.start(t)
      const classify = result => (kind.statusOf(result) === 404 ? { retryable: true } : undefined)
      const client = open(t, { retry: THRICE, classify })
      server.will(answer(404), answer(503))
      assert.equal((await client.send('GET', server.url)).status, 200)
      assert.equal(server.seen.length, 3)
      server.will(answer(404))
      assert.equal((await client.send('POST', server.url)).status, 404, 'but what may not be repeated is not')
      assert.equal(server.seen.length, 4)
    })

    test('what cannot be sent at all counts for nothing', async t => {
      const guard = new Guard('own', { retry: THRICE, breaker: ONE_FAILURE })
      const client = open(t, { guards: guard })
      const error = await rejection(kind.ownMistake(client))
      assert.ok(!(error instanceof BreakerOpen) && !kind.isConnectionError(error) || name === 'axios', error)
      assert.equal(guard.breaker.state, 'closed')
    })

    test('a slow body is read by whoever asked for it', async t => {
      const server = await Server.start(t)
      server.will({ parts: ['one ', 'two ', 'three'], gap: 60 })
      const client = open(t, { retry: THRICE, attemptTimeout: 100 })
      assert.deepEqual(await client.send('GET', server.url), { status: 200, body: 'one two three' })
      assert.equal(server.seen.length, 1)
    })

    test('a body that breaks off is not tried again', async t => {
      const server = await Server.start(t)
      server.will({ parts: ['one', RESET], gap: 20 })
      assert.ok((await rejection(open(t).send('GET', server.url))) instanceof Error)
      assert.equal(server.seen.length, 1)
    })

    test('nobody listening is a failure', async t => {
      const client = open(t, { retry: false, breaker: ONE_FAILURE })
      assert.ok(kind.isConnectionError(await rejection(client.send('GET', 'http://127.0.0.1:1/'))))
      assert.ok((await rejection(client.send('GET', 'http://127.0.0.1:1/'))) instanceof BreakerOpen)
    })

    test('`instant` and `disabled` hold for it', async t => {
      const server = await Server.start(t)
      const client = open(t, { retry: THRICE, idempotencyKey: true })
      server.will(answer(503, { 'Retry-After': '10' }))
      assert.equal((await instant(() => client.send('POST', server.url))).status, 200)
      server.will(answer(503))
      assert.equal((await disabled(() => client.send('POST', server.url))).status, 503)
      assert.equal(new Set(server.header(KEY)).size, 2)
      assert.equal(server.seen.length, 3)
    })

    test('many at once', async t => {
      const server = await Server.start(t)
      const client = open(t)
      server.will(...Array(5).fill(answer(503)))
      const all = await Promise.all(Array.from({ length: 20 }, () => client.send('GET', server.url)))
      assert.deepEqual(all, Array(20).fill({ status: 200, body: 'well' }))
      assert.equal(server.seen.length, 25)
    })

    test('bad options are refused', t => {
      const refused = (options, path) => {
        assert.throws(() => open(t, options), error => error instanceof InvalidPolicy && error.path === path)
      }
      refused({ guards: {} }, 'guards')
      refused({ guards: new Registry(), attemptTimeout: 1 }, 'attemptTimeout')
      refused({ idempotencyKey: 1 }, 'idempotencyKey')
      refused({ idempotencyKey: '' }, 'idempotencyKey')
      refused({ attemptTimeout: -1 }, 'attemptTimeout')
      refused({ colour: 'red' }, 'colour')
    })
  })
}
