/** What HTTP and gRPC say, by the cases that every language runs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
// Not for users, who get it by the adapters.
const { native } = require(join(dirname(require.resolve('overcurrent')), 'native.js'))

const cases = name => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))

const UNITS = { ns: 1, ms: 1e6, s: 1e9 }
const nanos = span => {
  const [, count, unit] = /^(\d+)([a-z]+)$/.exec(span)
  return Number(count) * UNITS[unit]
}

/** What is expected, as the addon tells it. */
function meaning(expect) {
  if (typeof expect === 'string') return { verdict: { success: 0, ignored: 1 }[expect] }
  const { retryable, hint } = expect.failure
  return { verdict: retryable ? 2 : 3, ...(hint !== null && { hint: nanos(hint) }) }
}

const request = ({ method = 'GET', key = false, replayable = true }) => ({
  method,
  hasIdempotencyKey: key,
  hasReplayableBody: replayable,
})
const answered = (given, status, { retry_after: header, now = 0 }) =>
  native.httpAnswered(request(given), status, header, now * 1e3)

const HTTP = {
  repeatable: one => assert.equal(native.httpRepeatable(request(one)), one.expect),
  answers: one => assert.deepEqual(answered(one, one.status, one), meaning(one.expect)),
  errors: one => assert.deepEqual(native.httpFailed(request(one)), meaning(one.expect)),
  retry_after: ({ header, now, expect }) =>
    assert.deepEqual(answered({}, 503, { retry_after: header, now }), meaning({ failure: { retryable: true, hint: expect } })),
  retry_after_header: ({ wait, expect }) => assert.equal(native.httpRetryAfterHeader(wait), String(expect)),
  authority: ({ scheme, host, port, expect }) =>
    assert.equal(native.httpAuthority(scheme, host, port ?? undefined), expect),
}

const http = cases('http.json')
test('every kind of case is known', () => assert.deepEqual(Object.keys(http).sort(), Object.keys(HTTP).sort()))
for (const [kind, check] of Object.entries(HTTP)) {
  test(`http: ${kind}`, () => {
    assert.ok(http[kind].length > 0)
    for (const one of http[kind]) check(one)
  })
}

test('grpc', () => {
  const { statuses, ...others } = cases('grpc.json')
  assert.deepEqual(others, {})
  for (const { number, pushback, repeatable = true, expect } of statuses)
    assert.deepEqual(native.grpcVerdict(number, pushback, repeatable), meaning(expect))
})
