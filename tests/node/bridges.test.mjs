/** The metrics through the libraries that others use for theirs: what these tell is what the core tells. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { Guard, InvalidPolicy, Registry as Guards, metrics } from 'overcurrent'
import { instrumentMetrics } from 'overcurrent/opentelemetry'
import { collectMetrics } from 'overcurrent/prom-client'
import { AggregatorRegistry, Counter, Registry, register as global } from 'prom-client'
import { rejection } from './tools.mjs'

const fail = () => {
  throw new Error('no')
}

/** All there are, so that none of them is collected between two readings. */
const held = []

/** A guard and a registry that have counted something of every kind. */
async function busy(name = 'a "bridge"') {
  const guard = new Guard(name, { durations: true, retry: { maxAttempts: 1 }, breaker: { consecutiveFailures: 1 } })
  for (let n = 0; n < 5; n++) await guard.call(() => n)
  await rejection(guard.call(fail))
  await rejection(guard.call(fail))
  const guards = new Guards({ name: 'bridges', capacity: 1 })
  for (let key = 0; key < 3; key++) guards.guard(`${key}`)
  held.push(guard, guards)
  return { guard, guards }
}

/** The samples of a text, sorted. */
const samplesOf = text => text.split('\n').filter(line => line !== '' && !line.startsWith('#')).sort()
const commentsOf = text => text.split('\n').filter(line => /^# (HELP|TYPE)/.test(line)).sort()

test('a registry of prom-client tells of the same as the core, as it stands at each reading', async () => {
  const { guard, guards } = await busy()
  const register = new Registry()
  new Counter({ name: 'of_the_application', help: 'Its own.', registers: [register] }).inc(3)
  collectMetrics({ register })
  const all = metrics()
  const text = await register.metrics()
  assert.deepEqual(samplesOf(text), samplesOf(`of_the_application 3\n${all}`))
  for (const line of commentsOf(`${all}`)) assert.ok(text.includes(`${line}\n`), line)

  await guard.breaker.call(() => 1).catch(() => {})
  assert.notEqual(`${metrics()}`, `${all}`)
  assert.deepEqual(samplesOf(await register.metrics()), samplesOf(`of_the_application 3\n${metrics()}`))
  register.resetMetrics()
  assert.deepEqual(samplesOf(await register.metrics()), samplesOf(`of_the_application 0\n${metrics()}`))

  const [calls] = (await register.getMetricsAsJSON()).filter(({ name }) => name === 'overcurrent_calls_total')
  const { value } = calls.values.find(({ labels }) => labels.guard === guard.name && labels.outcome === 'success')
  assert.equal(value, 5)
  assert.equal(guards.size, 1)

  register.setDefaultLabels({ zone: 'b' })
  assert.match(await register.metrics(), /overcurrent_in_flight\{guard="a \\"bridge\\"",zone="b"\} 0/)
  assert.throws(() => collectMetrics({ register }), /overcurrent_calls_total has already been registered/)
})

test('a registry of prom-client for OpenMetrics tells of the same too', async () => {
  await busy()
  const register = new Registry(Registry.OPENMETRICS_CONTENT_TYPE)
  collectMetrics({ register })
  for (let reading = 0; reading < 2; reading++) {
    const text = await register.metrics()
    assert.deepEqual(samplesOf(text), samplesOf(metrics().openMetrics()))
    assert.match(text, /^# TYPE overcurrent_calls counter$/m)
    assert.match(text, /\n# EOF\n$/)
  }
})

test('the registry is that of prom-client’s own by default, and what is none is refused', async () => {
  await busy()
  collectMetrics()
  assert.deepEqual(samplesOf(await global.metrics()), samplesOf(`${metrics()}`))
  global.clear()
  for (const register of [null, 5, {}]) assert.throws(() => collectMetrics({ register }), InvalidPolicy)
  assert.throws(() => collectMetrics({ registry: global }), { code: 'INVALID_POLICY', path: 'registry' })
})

test('the metrics of the processes of a cluster add up', async () => {
  await busy('of a cluster')
  const register = new Registry()
  collectMetrics({ register })
  const both = AggregatorRegistry.aggregate([await register.getMetricsAsJSON(), await register.getMetricsAsJSON()])
  const text = await both.metrics()
  assert.match(text, /^overcurrent_calls_total\{guard="of a cluster",outcome="success"\} 10$/m)
  assert.match(text, /^overcurrent_breaker_state\{breaker="of a cluster",state="open"\} 2$/m)
  assert.match(text, /^overcurrent_call_duration_seconds_bucket\{guard="of a cluster",le="\+Inf"\} 12$/m)
})

/** Reads when it is asked to. */
class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}

  /** Each point as a line of Prometheus text. */
  async lines() {
    const { resourceMetrics, errors } = await this.collect()
    assert.deepEqual(errors, [])
    const found = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
    return found.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => {
        const labels = Object.entries(attributes).map(([name, value]) => `${name}="${value.replaceAll('"', '\\"')}"`)
        return `${descriptor.name}{${labels}} ${value}`
      }),
    )
  }
}

test('OpenTelemetry observes the same as the core, at each collection', async () => {
  const { guard } = await busy()
  const reader = new Reader()
  const other = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader, other] })
  const metering = instrumentMetrics({ meterProvider })
  assert.deepEqual((await reader.lines()).sort(), samplesOf(`${metrics()}`))
  await rejection(guard.call(() => 1))
  assert.deepEqual((await reader.lines()).sort(), samplesOf(`${metrics()}`))
  assert.deepEqual((await other.lines()).sort(), samplesOf(`${metrics()}`))

  const { resourceMetrics } = await reader.collect()
  const [{ scope, metrics: found }] = resourceMetrics.scopeMetrics
  assert.equal(scope.name, 'overcurrent')
  assert.match(scope.version, /^\d+\.\d+\.\d+/)
  for (const { name, help, kind } of metrics().families) {
    if (kind === 'histogram') continue
    const { descriptor, dataPointType, isMonotonic } = found.find(({ descriptor }) => descriptor.name === name)
    assert.equal(descriptor.description, help)
    assert.equal(dataPointType === 3 && isMonotonic, kind === 'counter', name)
  }

  assert.throws(() => instrumentMetrics({ meterProvider }), /has these instruments already/)
  metering.close()
  const last = samplesOf(`${metrics()}`)
  await rejection(guard.call(() => 1))
  // The SDK tells of what it has observed last.
  assert.deepEqual((await reader.lines()).sort(), last)
  const again = instrumentMetrics({ meterProvider })
  assert.deepEqual((await reader.lines()).sort(), samplesOf(`${metrics()}`))
  again[Symbol.dispose]()
  await meterProvider.shutdown()
})

test('who reads differences from OpenTelemetry gets them', async () => {
  const { guard } = await busy('of differences')
  const reader = new Reader({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const metering = instrumentMetrics({ meterProvider })
  const own = 'overcurrent_calls_total{guard="of differences",outcome="rejected"}'
  const rejected = async () => (await reader.lines()).find(line => line.startsWith(own))
  assert.equal(await rejected(), `${own} 1`)
  await rejection(guard.call(() => 1))
  await rejection(guard.call(() => 1))
  assert.equal(await rejected(), `${own} 2`)
  metering.close()
})

test('a provider that is none is refused, and without one nothing happens', () => {
  for (const meterProvider of [{}, 'x', 5])
    assert.throws(() => instrumentMetrics({ meterProvider }), { code: 'INVALID_POLICY', path: 'meterProvider' })
  assert.throws(() => instrumentMetrics({ provider: {} }), { code: 'INVALID_POLICY', path: 'provider' })
  instrumentMetrics().close()
})
