/** What must not pass: every line below an expectation is an error. */
import {
  Breaker,
  BreakerOpen,
  Guard,
  ManualClock,
  Registry,
  Retry,
  TraceContext,
  compose,
  explain,
  exponential,
  metrics,
  logEvents,
  subscribe,
  type CallInfo,
  type Context,
  type Permit,
} from 'overcurrent'
import { guardedFetch } from 'overcurrent/fetch'
import { guardInterceptor as guardCalls } from 'overcurrent/grpc'
import { instrumentMetrics } from 'overcurrent/opentelemetry'
import { collectMetrics } from 'overcurrent/prom-client'
import { captureEvents, disabled, instant } from 'overcurrent/testing'

// @ts-expect-error a name is needed
new Guard()
// @ts-expect-error no such option
new Guard('g', { deadlin: '1s' })
// @ts-expect-error the option is written in camelCase
new Guard('g', { attempt_timeout: '1s' })
// @ts-expect-error a duration needs a unit
new Guard('g', { deadline: '10' })
// @ts-expect-error no such unit
new Guard('g', { deadline: '10d' })
// @ts-expect-error `true` is no duration
new Guard('g', { deadline: true })
// @ts-expect-error no such word
new Guard('g', { whenOpen: 'retry' })
// @ts-expect-error no such jitter
new Guard('g', { retry: { jitter: 'half' } })
// @ts-expect-error no such shape
new Guard('g', { retry: { backoff: { fibonacci: { initial: '1s' } } } })
// @ts-expect-error a count is no text
new Guard('g', { retry: { maxAttempts: '3' } })
// @ts-expect-error the window is one of both
new Guard('g', { breaker: { window: { time: '10s', calls: 10 } } })
// @ts-expect-error `max` is required
exponential('100ms', {})
// @ts-expect-error no such verdict
new Guard('g', { classify: () => 'bad' })
// @ts-expect-error a classification does not wait
new Guard('g', { classify: async () => 'failure' })
// @ts-expect-error no such format
Guard.fromText('', 'g', { format: 'yaml' })
// @ts-expect-error the format must be said
Guard.fromText('', 'g', {})
// @ts-expect-error the document says it
Guard.fromFile('a.toml', 'g', { deadline: '1s' })
// @ts-expect-error a clock is a `ManualClock`
new Guard('g', { clock: { now: () => 0 } })

const guard = new Guard('g')
// @ts-expect-error a function is needed
guard.call(Promise.resolve(1))
// @ts-expect-error the result keeps its type
const wrong: Promise<string> = guard.call(() => 1)
// @ts-expect-error the context is read-only
guard.call((context: Context) => void (context.attempt = 2))
// @ts-expect-error a signal is an `AbortSignal`
guard.call(() => 1, { signal: 'abort' })
// @ts-expect-error the parameters keep their types
guard.wrap((cents: number) => cents)('1')
// @ts-expect-error one guard alone is no composition
compose(guard)
// @ts-expect-error only guards are composed
compose(guard, new Breaker())
// @ts-expect-error a guard of a breaker's token
Guard.from(new Breaker().share())
// @ts-expect-error the policy comes with the token
Guard.from(guard.share(), { deadline: '1s' })
// @ts-expect-error a breaker has no timers
new Breaker('b', { ref: true })
// @ts-expect-error no such event
guard.on('open', () => {})
// @ts-expect-error a guard forgets no entries
guard.on('eviction', () => {})
// @ts-expect-error a breaker retries nothing
new Breaker().on('retry', () => {})
// @ts-expect-error a rejection has no `wait`
guard.on('reject', ({ wait }) => wait)
// @ts-expect-error an event is read-only
guard.on('retry', event => (event.wait = 0))
// @ts-expect-error it must be asked which event it is
subscribe(({ wait }) => wait)
// @ts-expect-error it is made by `root` or `extract`
new TraceContext()
// @ts-expect-error it is either
TraceContext.root({ sampled: 'no' })
// @ts-expect-error it never changes
TraceContext.root().correlationId = 'order-7'
// @ts-expect-error a logger has a method `warn`
logEvents({ debug() {}, info() {} })
// @ts-expect-error the name is read-only
guard.name = 'other'
// @ts-expect-error a guard may have no breaker
guard.breaker.trip()

const breaker = new Breaker()
// @ts-expect-error the state is read-only
breaker.state = 'open'
// @ts-expect-error the reason is one of three words
const reason: 'closed' = (new Error() as BreakerOpen).reason
// @ts-expect-error permits come from breakers
const permit: Permit = {}
// @ts-expect-error a duration needs a unit
breaker.trip('1')
// @ts-expect-error a snapshot has a version
breaker.restore({ state: 'open' })
// @ts-expect-error a decision is to wait or to stop
const wait: number = new Retry().start().failed().wait
// @ts-expect-error a retry alone has no breaker
new Retry({ breaker: false })
// @ts-expect-error an account is read-only
;(info: CallInfo) => (info.attempts = 1)
// @ts-expect-error nanoseconds are a bigint
const now: number = new ManualClock().nowNs
// @ts-expect-error a function is needed, or nothing
disabled(guard)
// @ts-expect-error the result keeps its type
const received: Promise<string> = instant(() => guard.call(() => 1))
// @ts-expect-error a source is a guard or a breaker
captureEvents({ retry: new Retry() })
// @ts-expect-error what a function is given is only to be read
captureEvents({}, events => events.push())
// @ts-expect-error internals stay inside
import('overcurrent/bindings-node/dist/native.js')
// @ts-expect-error guards are brought or made, not both
guardedFetch({ guards: guard, attemptTimeout: '2s' })
// @ts-expect-error each key has a breaker of its own
new Registry({ breaker: new Breaker() })
// @ts-expect-error the size is read-only
new Registry().size = 1
// @ts-expect-error a target is a text
guardCalls(new URL('http://target'))
console.log(wrong, reason, permit, wait, now, received)
// @ts-expect-error it is true or false
new Guard('g', { durations: '1s' })
// @ts-expect-error a breaker alone measures none
new Breaker('b', { durations: true })
// @ts-expect-error what was counted is not written to
metrics().families = []
// @ts-expect-error the values of a histogram are none alone
metrics().families.map(({ samples }) => samples.map(({ value }) => value + 1))
// @ts-expect-error what no call was given up with is not explained
explain(new Error('no')).length
// @ts-expect-error not a registry
collectMetrics({ register: new Map() })
// @ts-expect-error not a provider
instrumentMetrics({ meterProvider: {} })
