/** The guarded HTTP clients under one face, so that one suite holds for all of them. */
import axios from 'axios'
import { guardedAdapter } from 'overcurrent/axios'
import { guardedFetch } from 'overcurrent/fetch'
import { guardInterceptor } from 'overcurrent/undici'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Agent, FormData as UndiciForm, request } from 'undici'

/**
 * Each makes a client by `open`, with the options of its adapter; `t` is the test. A client sends a request and reads
 * the response, `{ status, body }`. `isConnectionError` is whether an error is what the library raises where the
 * connection fails, `ownMistake` a request that cannot be sent at all.
 */
export const CLIENTS = {
  fetch: {
    open(t, options) {
      const fetch = guardedFetch(options)
      return {
        async send(method, url, init = {}) {
          const response = await fetch(url, { method, ...init })
          return { status: response.status, body: await response.text() }
        },
        stream(method, url, parts) {
          return this.send(method, url, { body: ReadableStream.from(parts.map(part => Buffer.from(part))), duplex: 'half' })
        },
      }
    },
    form: () => FormData,
    isConnectionError: error => error instanceof TypeError && error.cause instanceof Error,
    ownMistake: client => client.send('GET', 'http://'),
    isAborted: (error, reason) => error === reason,
    statusOf: ({ value }) => value?.status,
  },
  undici: {
    open(t, options) {
      const agent = new Agent()
      t.after(() => agent.destroy())
      const dispatcher = agent.compose(guardInterceptor(options))
      return {
        async send(method, url, init = {}) {
          const { statusCode, body } = await request(url, { method, dispatcher, ...init })
          return { status: statusCode, body: await body.text() }
        },
        stream(method, url, parts) {
          return this.send(method, url, { body: Readable.from(parts.map(part => Buffer.from(part))) })
        },
      }
    },
    form: () => UndiciForm,
    isConnectionError: error => error.code === 'UND_ERR_SOCKET' || /^E[A-Z]+$/.test(error.code),
    ownMistake: client => client.send('GET', 'http://127.0.0.1:1/', { headers: ['odd'] }),
    isAborted: (error, reason) => error === reason,
    statusOf: ({ value }) => value?.status,
  },
  axios: {
    open(t, options) {
      const adapter = guardedAdapter(axios.getAdapter('http'), options)
      const client = axios.create({ adapter, responseType: 'stream', validateStatus: status => status < 300 })
      return {
        async send(method, url, { body, ...init } = {}) {
          const response = await client.request({ method, url, data: body, ...init }).catch(error => {
            if (error.response === undefined) throw error
            return error.response
          })
          return { status: response.status, body: await text(response.data) }
        },
        stream(method, url, parts) {
          return this.send(method, url, { body: Readable.from(parts.map(part => Buffer.from(part))) })
        },
      }
    },
    form: () => FormData,
    isConnectionError: error => axios.isAxiosError(error) && error.response === undefined,
    ownMistake: client => client.send('GET', 'ftp://127.0.0.1:1/'),
    isAborted: error => axios.isCancel(error),
    statusOf: ({ value, error }) => value?.status ?? error?.response?.status,
  },
}
