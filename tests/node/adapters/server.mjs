/**
 * A real HTTP server on this machine that misbehaves as it is told, and tells what it saw: one answer for each
 * request, in the order in which the answers were lined up, 200 where none is left.
 */
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

export const RESET = { resets: true }
export const HANG = { hangs: true }

/** An answer with a status. */
export const answer = (status, headers = {}, body = '') => ({ status, headers, parts: [body] })

export class Server {
  /** The requests as they arrived. */
  seen = []
  #answers = []
  #server = createServer((request, response) => void this.#serve(request, response))

  /** A server that is there until the test is over. */
  static async start(t) {
    const server = new Server()
    server.#server.keepAliveTimeout = 0
    server.#server.on('connection', socket => socket.on('error', () => {}))
    await new Promise(resolve => server.#server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      server.#server.close()
      server.#server.closeAllConnections()
    })
    return server
  }

  get host() {
    return `127.0.0.1:${this.#server.address().port}`
  }

  get url() {
    return `http://${this.host}/`
  }

  /** Whether all exchanges have come to their end, one way or the other. */
  get isQuiet() {
    return this.seen.every(({ over }) => over)
  }

  get methods() {
    return this.seen.map(({ method }) => method)
  }

  get bodies() {
    return this.seen.map(({ body }) => body)
  }

  /** The values of a header, request by request. */
  header(name) {
    return this.seen.map(({ headers }) => headers[name])
  }

  /** Lines up answers. */
  will(...answers) {
    this.#answers.push(...answers)
  }

  async #serve(request, response) {
    let body = ''
    try {
      for await (const chunk of request.setEncoding('utf8')) body += chunk
    } catch {
      return // The client went away.
    }
    const { method, url, headers, socket } = request
    const seen = { method, url, headers, body, over: false }
    this.seen.push(seen)
    response.on('close', () => (seen.over = true))
    const { status = 200, headers: own = {}, parts = ['well'], gap = 0, resets, hangs } = this.#answers.shift() ?? {}
    if (resets) return socket.resetAndDestroy()
    if (hangs) return
    response.on('error', () => {}).writeHead(status, own)
    response.flushHeaders()
    for (const part of parts) {
      if (gap > 0) await wait(gap)
      if (part === RESET) return socket.resetAndDestroy()
      if (part === HANG) return
      response.write(part)
    }
    response.end()
  }
}

/** Waits until something is so. */
export async function until(condition) {
  for (let tries = 0; tries < 1000; tries++) {
    if (condition()) return
    await wait(5)
  }
  throw new Error('it never was so')
}
