/** What must pass: the public types as users write them. */
import {
  Breaker,
  type BreakerOpen,
  Budget,
  Guard,
  InvalidPolicy,
  ManualClock,
  Metrics,
  OvercurrentError,
  Registry,
  RegistryFull,
  Retry,
  callInfo,
  TraceContext,
  compose,
  constant,
  explain,
  exponential,
  linear,
  logEvents,
  metrics,
  proportional,
  schedule,
  subscribe,
  type Bucket,
  type CallInfo,
  type Composed,
  type Context,
  type Decision,
  type Event,
  type Family,
  type GuardOptions,
  type Histogram,
  type Logger,
  type Metric,
  type MetricsOptions,
  type Permit,
  type RegistryOptions,
  type Sample,
  type StateChangeEvent,
  type Token,
} from 'overcurrent'
import { Client, credentials, type Interceptor } from '@grpc/grpc-js'
import axios, { type AxiosInstance } from 'axios'
import express from 'express'
import fastify from 'fastify'
import pino from 'pino'
import { Registry as PromRegistry, prometheusContentType } from 'prom-client'
import { guardedAdapter } from 'overcurrent/axios'
import * as expressly from 'overcurrent/express'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import * as fastly from 'overcurrent/fastify'
import { guardedFetch, type FetchOptions } from 'overcurrent/fetch'
import { guardInterceptor as guardCalls, type GrpcOptions } from 'overcurrent/grpc'
import { Metering, instrument, instrumentMetrics, type InstrumentMetricsOptions, type Instrumentation } from 'overcurrent/opentelemetry'
import { collectMetrics, type CollectOptions } from 'overcurrent/prom-client'
import { guardInterceptor } from 'overcurrent/undici'
import { Agent, type Dispatcher } from 'undici'
import { ManualClock as TestClock, captureEvents, disabled, instant, type Captured, type Switched } from 'overcurrent/testing'

class NotFound extends Error {}

const clock = new ManualClock()
const options: GuardOptions = {
  deadline: '10s',
  attemptTimeout: 2_000,
  whenOpen: 'wait',
  retry: {
    maxAttempts: 4,
    backoff: exponential('100ms', { max: '5s' }),
    jitter: proportional(0.25),
    budget: { ratio: 0.2 },
  },
  breaker: { window: { time: '10s' }, failureRate: 0.5, minimumCalls: 20, cooldown: '5s' },
  on: [Error, error => error === 503],
  ignore: NotFound,
  classify: ({ value, error }) =>
    value === 503 ? { retryable: true, hint: '2s' } : error === 1 ? 'ignored' : undefined,
  clock,
  seed: 7n,
}
const guard = new Guard('payments', options)
new Guard('off', { deadline: false, attemptTimeout: false, retry: false, breaker: false })
new Guard('shared', {
  breaker: new Breaker('b', { consecutiveFailures: 3 }),
  retry: new Retry({ budget: new Budget() }),
})
new Guard('shared', { retry: { backoff: linear('1s', { step: '1s', max: '5s' }), budget: new Budget({ burst: 5 }) } })
new Guard('shapes', { retry: { backoff: constant('1s') } })
new Guard('shapes', { retry: { backoff: schedule('1s', 2000), jitter: 'none' }, breaker: { window: { calls: 10 } } })
Guard.fromFile(new URL('file:///overcurrent.toml'), 'payments', { seed: 1 })
Guard.fromText('', 'payments', { format: 'json', on: Error })

const controller = new AbortController()
const text: string = await guard.call(
  async ({ signal, attempt, remaining, idempotencyKey }: Context) => {
    signal.throwIfAborted()
    const left: number | undefined = remaining
    return `${attempt} ${left} ${idempotencyKey}`
  },
  { signal: controller.signal, key: 'k' },
)
const plain: number = await guard.call(() => 1)
const nested: number = await guard.call(async () => Promise.resolve(text.length + plain))

const both: Composed = compose(guard, new Guard('inner', { ref: true }), compose(guard, guard))
const composed: number = await both.call(async ({ remaining }) => remaining ?? 0, { signal: controller.signal })
const plus: (one: number, other: number) => Promise<number> = both.wrap((one: number, other: number) => one + other)
console.log(composed, await plus(1, 2))

const token: Token<'guard'> = guard.share()
const same: Guard = Guard.from(token, { classify: () => 'ignored', ref: true })
const breakerToken: Token<'breaker'> = new Breaker().share()
console.log(Breaker.from(breakerToken, { on: Error }).name)
{
  using ended = same
  await using later = new Guard('later')
  await Promise.all([ended.drain(), later.drain()])
}

const hear = ({ old, new: state, openFor }: StateChangeEvent) => console.log(old, state, openFor ?? 0)
guard
  .on('stateChange', hear)
  .once('giveUp', ({ attempt, reason }) => console.log(attempt + 1, reason === 'deadline'))
  .off('stateChange', hear)
new Breaker().on('reject', async ({ retryAfter, nth }) => console.log(retryAfter ?? nth))
const context = TraceContext.extract({ traceparent: ['a'], 'x-correlation-id': 'order-7' }).orRoot({ sampled: false }).child()
TraceContext.extract(new Headers()).inject(new Headers()).get('traceparent') satisfies string | null
TraceContext.extract(new Map([['baggage', 'a=b']])).inject({ accept: '*/*' }).accept satisfies string
context.inject()['traceparent'] satisfies string | undefined
context.run(async () => TraceContext.current()?.correlationId) satisfies Promise<string | undefined>
express().use(expressly.traceContext())
fastify().register(fastly.traceContext)
const tracing: Instrumentation = instrument({ tracerProvider: new NodeTracerProvider(), propagate: false })
tracing.close()
const loggers: Logger[] = [console, pino()]
for (const logger of loggers) logEvents(logger, { guard }).close()
logEvents(pino({ customLevels: { audit: 35 } })).dropped satisfies number
const subscription = subscribe((event: Event) => event.name === 'retry' && console.log(event.wait), { guard })
console.log(subscription.dropped)
subscription.close()

const charge = guard.wrap((order: string, cents: number) => Promise.resolve({ order, cents }))
const receipt: { order: string; cents: number } = await charge('a', nested)
class Shop {
  currency = 'EUR'
  price = guard.wrap(function (this: Shop, cents: number) {
    return `${cents} ${this.currency}`
  })
}
const price: string = await new Shop().price(receipt.cents)

const breaker: Breaker | undefined = guard.breaker
if (breaker !== undefined) {
  using permit: Permit = breaker.acquire()
  permit.success('20ms')
  breaker.trip('1m')
  breaker.restore(breaker.snapshot())
  const state: 'closed' | 'open' | 'half_open' | 'forced_open' | 'forced_closed' = breaker.state
  const after: number | undefined = breaker.retryAfterMs
  console.log(state, after, breaker.reason, breaker.late)
}

const decision: Decision = new Retry({ maxAttempts: 2 })
  .start({ deadline: '1s' })
  .failed({ retryable: true, hint: null })
if (decision.stop === undefined) {
  const exact: bigint = decision.waitNs
  console.log(exact, decision.wait)
} else {
  console.log(decision.stop)
}

try {
  await guard.call(() => price)
} catch (error) {
  const info: CallInfo | undefined = callInfo(error)
  if (error instanceof OvercurrentError) {
    const code: 'INVALID_POLICY' | 'BREAKER_OPEN' | 'ATTEMPT_TIMEOUT' | 'DEADLINE_EXCEEDED' | 'REGISTRY_FULL' = error.code
    const plain: Record<string, unknown> = error.toJSON()
    OvercurrentError.captureStack = plain['code'] === undefined
    console.log(code, info?.attempts, info?.elapsedMs, info?.stop)
  }
  if (error instanceof InvalidPolicy) console.log(error.path, error.value, error.rule)
}
const now: bigint = clock.nowNs
clock.advance('1s')
clock.set(Number(now))

{
  using off = disabled()
  const switched: Switched = off
  const settled: Promise<string> = instant(() => guard.call(async () => 'answer'))
  const thenable: Promise<number> = instant((): PromiseLike<number> => Promise.resolve(1))
  const given: number = disabled(() => 1)
  const test: ManualClock = new TestClock()
  using captured = captureEvents({ guard })
  const events: Captured = captured
  const first: string | undefined = events[0]?.name
  const counted: Promise<number> = captureEvents({}, async told => told.length)
  console.log(switched, settled, thenable, given, test, first, counted)
}

const registryOptions: RegistryOptions = { name: 'hosts', capacity: 10, attemptTimeout: '2s', breaker: { failureRate: 0.5 }, on: Error }
const registry = new Registry(registryOptions)
Registry.fromFile('overcurrent.toml', 'payments', { name: 'hosts', seed: 1 })
const known: Guard | undefined = registry.get('one')
const keys: string[] = [...registry]
const counts: number[] = [registry.size, registry.capacity, registry.evictions]
for (const each of registry.values()) each.name satisfies string
const full = (error: unknown): number | undefined => (error instanceof RegistryFull ? error.capacity : undefined)

const fetchOptions: FetchOptions = { guards: registry, idempotencyKey: 'X-Request-Id', fetch }
const guarded: typeof fetch = guardedFetch(fetchOptions)
guardedFetch({ attemptTimeout: '2s', retry: false, idempotencyKey: true, classify: ({ value }) => (value === 1 ? 'ignored' : undefined) })
const dispatcher: Dispatcher = new Agent().compose(guardInterceptor({ guards: guard }))
const http: AxiosInstance = axios.create({ adapter: guardedAdapter(axios.getAdapter('http'), { capacity: 5 }) })
const grpcOptions: GrpcOptions = { idempotent: new Set(['/shop.Orders/Get']), guards: registry }
const interceptors: Interceptor[] = [guardCalls('target', grpcOptions), guardCalls('target', { idempotent: path => path === '' })]
new Client('target', credentials.createInsecure(), { interceptors })
express().use(expressly.breakerOpen())
fastify().register(fastly.breakerOpen)
const header: string | undefined = fastly.retryAfter({} as BreakerOpen)['retry-after']
console.log(known, keys, counts, full, guarded, dispatcher, http, header)

const measuring: MetricsOptions = { durations: true }
const measured: Metrics = new Guard('g', measuring).metrics()
const others: Metrics[] = [metrics(), registry.metrics(), new Breaker('b').metrics()]
const texts: string[] = [measured.prometheus(), measured.openMetrics(), `${measured}`, Metrics.PROMETHEUS, Metrics.OPENMETRICS]
for (const family of measured.families) {
  const { name, labels }: Metric = family
  if (family.kind === 'histogram') {
    for (const { value } of family.samples) {
      const { buckets, sum, count }: Histogram = value
      const bounds: number[] = buckets.map(({ le }: Bucket) => le)
      console.log(bounds, sum, count)
    }
    continue
  }
  const values: number[] = family.samples.map(({ value }) => value)
  const first: Sample<number> | undefined = family.samples[0]
  const whose: string | undefined = first?.labels[labels[0] ?? '']
  console.log(name, values, whose)
}
const some: Family | undefined = measured.families.find(({ kind }) => kind === 'gauge')
const words: (string | undefined)[] = [guard.explain(), guard.breaker?.explain(), explain(new Error('no'))]
const collecting: CollectOptions = { register: new PromRegistry() }
collectMetrics(collecting)
const openRegistry = new PromRegistry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>()
collectMetrics({ register: openRegistry })
const instruments: InstrumentMetricsOptions = { meterProvider: new MeterProvider() }
using metering = instrumentMetrics(instruments)
metering satisfies Metering
console.log(others, texts, some, words, prometheusContentType)
