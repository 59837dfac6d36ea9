// @ts-check
/**
 * The Node client of the outage: fetch, through a guard or in a plain retry loop.
 *
 * One promise a call, begun on schedule whatever became of the earlier ones. Lines go to standard
 * output, as src/line.rs describes them.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const SAMPLING = 50
const NAIVE_ATTEMPTS = 3
const NAIVE_PAUSE = 100
const NAIVE_TIMEOUT = 2000
const IDEMPOTENCY_KEY = 'idempotency-key'
const PROBE_ROUND = 'x-probe-round'

/** @typedef {'ok' | 'error' | 'timeout' | 'rejected'} Ending */
/** @typedef {{ call(report: Report): Promise<void>, see(report: Report, always: boolean): void }} Caller */

/**
 * Writes one line.
 * @param {string} event
 * @param {Record<string, unknown>} [fields]
 */
function write(event, fields) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}

/** Time since the start, and the lines about calls. */
class Report {
  /** @param {number} start on the clock of `performance.now` */
  constructor(start) {
    this.start = start
  }

  /** Milliseconds since the start. */
  now() {
    return performance.now() - this.start
  }

  /**
   * Writes that a call has ended now.
   * @param {number} start
   * @param {Ending} result
   * @param {number} attempts
   * @param {number[]} [retried] when each attempt after the first began
   */
  call(start, result, attempts, retried = []) {
    write('call', { start, end: this.now(), result, attempts, retried })
  }
}

/**
 * Sends one request and reads its answer to the end.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {AbortSignal} signal
 */
async function post(url, headers, signal) {
  const response = await fetch(url, { method: 'POST', headers, signal })
  await response.arrayBuffer()
  return response
}

/** A plain retry loop, as many services have one: three attempts, a short pause, no breaker. */
class Naive {
  #url
  #calls = 0

  /** @param {string} url */
  constructor(url) {
    this.#url = url
  }

  /** @param {Report} report */
  async call(report) {
    const start = report.now()
    const headers = { [IDEMPOTENCY_KEY]: `${process.pid}-${++this.#calls}` }
    for (let attempt = 1; ; attempt++) {
      /** @type {Ending} */
      let result = 'error'
      try {
        const response = await post(this.#url, headers, AbortSignal.timeout(NAIVE_TIMEOUT))
        if (response.ok) result = 'ok'
      } catch (error) {
        if (error instanceof DOMException && error.name === 'TimeoutError') result = 'timeout'
      }
      if (result === 'ok' || attempt === NAIVE_ATTEMPTS) return report.call(start, result, attempt)
      await sleep(NAIVE_PAUSE)
    }
  }

  /** Nothing to see here. */
  see() {}
}

/** Calls through a guard, and a close watch on its probes. */
class Guarded {
  #link
  #url
  /** @type {string | undefined} */
  #state
  #retries = 0
  #rejections = 0
  /** Probes that have ended without a good answer. */
  #round = 0
  /** How many probes of each round are under way. @type {Map<number, number>} */
  #underWay = new Map()

  /**
   * @param {Link} link
   * @param {string} url
   */
  constructor(link, url) {
    this.#link = link
    this.#url = url
  }

  /** @param {Report} report */
  async call(report) {
    const start = report.now()
    /** When each attempt began. @type {number[]} */
    const begun = []
    /** @type {Ending} */
    let result
    try {
      const response = await this.#link.call((signal, key) => {
        if (begun.push(report.now()) > 1) this.#retries++
        return this.#attempt(report, signal, key, begun.length)
      })
      result = response.ok ? 'ok' : 'error'
    } catch (error) {
      result = this.#link.ending(error)
      if (result === 'rejected') this.#rejections++
    }
    report.call(start, result, begun.length, begun.slice(1))
    this.see(report)
  }

  /**
   * One attempt. It runs up to its first wait right after its admission, so the state it reads is the
   * one that admitted it.
   * @param {Report} report
   * @param {AbortSignal} signal
   * @param {string} key
   * @param {number} attempt from 1
   */
  async #attempt(report, signal, key, attempt) {
    this.see(report)
    const headers = { [IDEMPOTENCY_KEY]: key }
    if (this.#state !== 'half_open') return post(this.#url, headers, signal)
    const start = report.now()
    const round = this.#round
    const inFlight = (this.#underWay.get(round) ?? 0) + 1
    this.#underWay.set(round, inFlight)
    let ok = false
    try {
      const response = await post(this.#url, { ...headers, [PROBE_ROUND]: `${round}` }, signal)
      ok = response.ok
      return response
    } finally {
      this.#underWay.set(round, (this.#underWay.get(round) ?? 1) - 1)
      if (!ok) this.#round++
      write('probe', { start, end: report.now(), ok, attempt, round, in_flight: inFlight })
    }
  }

  /**
   * Writes the state if it is not the one written last.
   * @param {Report} report
   * @param {boolean} [always]
   */
  see(report, always = false) {
    const state = this.#link.state()
    if (!always && state === this.#state) return
    this.#state = state
    write('state', { at: report.now(), state, retries: this.#retries, rejections: this.#rejections })
  }
}

/** All that knows how overcurrent is called. */
class Link {
  #guard

  /** @param {import('overcurrent').Guard} guard */
  constructor(guard) {
    this.#guard = guard
  }

  /** @param {string} policy */
  static async load(policy) {
    const { Guard } = await import('overcurrent')
    // A 503 is a failure that may be retried, no earlier than its Retry-After says.
    const classify = (/** @type {import('overcurrent').Result} */ { value: response }) => {
      if (!(response instanceof Response) || response.status !== 503) return undefined
      const seconds = response.headers.get('retry-after')
      return { hint: seconds === null ? undefined : Number(seconds) * 1000 }
    }
    return new Link(Guard.fromFile(policy, 'upstream', { classify, durations: true }))
  }

  state() {
    return this.#guard.breaker?.state
  }

  /**
   * Calls through the guard; every attempt is given the call's idempotency key.
   * @param {(signal: AbortSignal, key: string) => Promise<Response>} attempt
   */
  call(attempt) {
    return this.#guard.call(({ signal, idempotencyKey }) => attempt(signal, idempotencyKey))
  }

  /**
   * @param {unknown} error
   * @returns {Ending}
   */
  ending(error) {
    switch (error instanceof Error && 'code' in error && error.code) {
      case 'BREAKER_OPEN':
        return 'rejected'
      case 'ATTEMPT_TIMEOUT':
      case 'DEADLINE_EXCEEDED':
        return 'timeout'
      default:
        return 'error'
    }
  }
}

/**
 * Begins a call at each multiple of 1 / rate, and waits until the last one has ended.
 * @param {number} rate
 * @param {number} duration in seconds
 * @param {Report} report
 * @param {Caller} caller
 */
async function steadily(rate, duration, report, caller) {
  const calls = []
  const due = Math.round(rate * duration)
  for (let number = 0; number < due; number++) {
    // A timer may fire a little early; a call does not.
    for (let left; (left = (number * 1000) / rate - report.now()) > 0; ) await sleep(left)
    calls.push(caller.call(report))
  }
  await Promise.all(calls)
}

/** Serves what the process has counted, in the format that is asked for, on a free port of the loopback address. */
async function serve() {
  const { Metrics, metrics } = await import('overcurrent')
  const server = createServer((request, response) => {
    const [kind, text] = request.headers.accept?.includes('application/openmetrics-text')
      ? [Metrics.OPENMETRICS, metrics().openMetrics()]
      : [Metrics.PROMETHEUS, metrics().prometheus()]
    response.setHeader('content-type', kind).end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/**
 * Makes a guard of this name, and calls it once, with success.
 * @param {string} name
 */
async function callOnce(name) {
  const { Guard } = await import('overcurrent')
  const guard = new Guard(name, { durations: true })
  await guard.call(async () => {})
  return guard
}

/**
 * Says that all is set up, and reads the instant at which all clients start.
 * @param {number} [metrics] the port on which they are served
 */
async function waitForStart(metrics) {
  const input = createInterface({ input: process.stdin })
  write('ready', { metrics })
  for await (const line of input) {
    const { go } = JSON.parse(line)
    input.close()
    return performance.now() + go - Date.now()
  }
  throw new Error('no start signal')
}

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    policy: { type: 'string', default: '' },
    mode: { type: 'string', default: '' },
    rate: { type: 'string', default: '' },
    duration: { type: 'string', default: '' },
    serving: { type: 'string' },
  },
})
const caller = options.mode === 'guarded' ? new Guarded(await Link.load(options.policy), options.url) : new Naive(options.url)
// Not counted: the first call that is finds all in place.
await post(`${options.url}/warm-up`, {}, AbortSignal.timeout(NAIVE_TIMEOUT))
const server = options.serving === undefined ? undefined : await serve()
const address = server?.address()
const beside = options.serving === undefined ? undefined : await callOnce(options.serving)
const report = new Report(await waitForStart(typeof address === 'object' ? address?.port : undefined))
const sampler = setInterval(() => caller.see(report, true), SAMPLING)
await steadily(Number(options.rate), Number(options.duration), report, caller)
clearInterval(sampler)
if (server !== undefined) {
  write('idle')
  process.stdin.resume()
  await once(process.stdin, 'end')
  // Held until here, so that it is among the metrics.
  beside?.metrics()
  server.close()
  server.closeAllConnections()
}
