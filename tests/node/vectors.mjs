/**
 * Replays a folder of vectors in Node: `node tests/node/vectors.mjs FOLDER`. Prints what passed per kind
 * and every failure; exits 1 if there is one.
 *
 * A vector is a policy, a seed and a list of steps, each with what must come of it. It is replayed
 * through the public API with a manual clock, exactly. The runners in Rust and Python read the same files.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Breaker, BreakerOpen, Budget, ManualClock, Retry } from 'overcurrent'

/** What a vector does not have is refused: a typo would check nothing. */
const FIELDS = {
  vector: ['name', 'kind', 'policy', 'seed', 'steps'],
  breaker: ['at', 'do', 'permit', 'took', 'for', 'expect', 'state', 'reason', 'late'],
  retry: ['at', 'do', 'deadline', 'retryable', 'hint', 'expect'],
  budget: ['at', 'do', 'expect', 'tokens_micro'],
  admission: ['granted', 'rejected', 'retry_after'],
  decision: ['wait', 'stop'],
}

function only(kind, object) {
  const unknown = Object.keys(object).find(name => !FIELDS[kind].includes(name))
  if (unknown !== undefined) throw new Error(`unknown field \`${unknown}\``)
}

function expect(what, expected, came) {
  if (expected !== came) throw new Error(`${what}: expected ${show(expected)}, came ${show(came)}`)
}

const show = value => (typeof value === 'bigint' ? `${value}ns` : JSON.stringify(value ?? null))

const UNITS = { ns: 1n, us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n }

/** Nanoseconds of a duration as vectors write it: whole digits and a unit; null is none. */
function nanos(text) {
  if (text === null || text === undefined) return undefined
  const [, digits, unit] = /^(\d+)(ns|us|ms|s|m|h)$/.exec(text) ?? []
  if (digits === undefined) throw new Error(`\`${text}\` is no duration`)
  return BigInt(digits) * UNITS[unit]
}

/** A policy as it is written in code: the same words in the other case. */
function inCode(value) {
  if (Array.isArray(value)) return value.map(inCode)
  if (typeof value !== 'object' || value === null) return value
  const camel = name => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [camel(name), inCode(inner)]))
}

function admission(expected, error) {
  only('admission', expected)
  if (expected.granted !== undefined) expect('granted', expected.granted, error === undefined)
  expect('rejected', expected.rejected, error?.reason)
  if (expected.retry_after !== undefined && error !== undefined) {
    const hint = error.retryAfterMs === undefined ? undefined : BigInt(Math.round(error.retryAfterMs * 1e6))
    expect('retry_after', nanos(expected.retry_after), hint)
  }
}

const REPLAY = {
  breaker(policy, clock, seed) {
    const breaker = new Breaker('vector', { ...policy, clock, seed })
    const permits = new Map()
    const admit = ({ permit, expect: expected }) => {
      let granted
      let error
      try {
        granted = breaker.acquire()
      } catch (thrown) {
        if (!(thrown instanceof BreakerOpen)) throw thrown
        error = thrown
      }
      if (expected !== undefined) admission(expected, error)
      if (granted !== undefined && permit !== undefined) permits.set(permit, granted)
    }
    const commands = {
      acquire: admit,
      trip: step => breaker.trip(step.for),
      reset: () => breaker.reset(),
      force_open: () => breaker.forceOpen(),
      force_closed: () => breaker.forceClosed(),
      automatic: () => breaker.automatic(),
    }
    for (const outcome of ['success', 'failure', 'ignored', 'cancelled']) {
      // A permit that was never granted cannot be used; one used before does nothing.
      commands[outcome] = ({ permit, took = '0ns' }) => permits.get(permit)?.[outcome](took)
    }
    return step => {
      only('breaker', step)
      command(commands, step)
      if (step.state !== undefined) expect('state', step.state, breaker.state)
      if (step.reason !== undefined) expect('reason', step.reason ?? undefined, breaker.reason)
      if (step.late !== undefined) expect('late', step.late, breaker.late)
    }
  },

  retry(policy, clock, seed) {
    const retry = new Retry({ ...policy, clock, seed })
    let call
    const commands = {
      start: ({ deadline }) => void (call = retry.start({ deadline })),
      failed({ retryable, hint, expect: expected }) {
        const decision = call.failed({ retryable, hint })
        if (expected === undefined) return
        only('decision', expected)
        expect('stop', expected.stop, decision.stop)
        expect('wait', nanos(expected.wait), decision.waitNs)
      },
    }
    return step => {
      only('retry', step)
      command(commands, step)
    }
  },

  budget(policy, clock) {
    const budget = new Budget({ ...policy, clock })
    const commands = {
      deposit: () => budget.deposit(),
      withdraw({ expect: expected }) {
        const granted = budget.withdraw()
        if (expected !== undefined) expect('granted', expected, granted)
      },
    }
    return step => {
      only('budget', step)
      command(commands, step)
      if (step.tokens_micro !== undefined) expect('tokens_micro', step.tokens_micro, budget.tokensMicro)
    }
  },
}

function command(commands, step) {
  if (!Object.hasOwn(commands, step.do)) throw new Error(`\`${step.do}\` is nothing to do`)
  commands[step.do](step)
}

/** What passed, by kind, and what did not, one line each. */
export class Summary {
  passed = new Map()
  failures = []

  replay(vector) {
    const { kind, name, policy, seed, steps } = vector
    let stepped = 0
    try {
      only('vector', vector)
      if (!Object.hasOwn(REPLAY, kind)) throw new Error(`\`${kind}\` is no kind of vector`)
      if (!this.passed.has(kind)) this.passed.set(kind, { vectors: 0, steps: 0 })
      const clock = new ManualClock()
      const replay = REPLAY[kind](inCode(policy), clock, BigInt(seed))
      for (const step of steps) {
        clock.set(step.at)
        replay(step)
        stepped++
      }
      this.passed.get(kind).vectors++
    } catch (error) {
      this.failures.push(`${kind} \`${name}\`, step ${stepped + 1}: ${error.message}`)
    }
    const passed = this.passed.get(kind)
    if (passed !== undefined) passed.steps += stepped
  }
}

/** Replays every vector in the `.json` files of `folder`, in the order of their names. */
export function replayAll(folder) {
  const summary = new Summary()
  try {
    const files = readdirSync(folder)
      .filter(file => file.endsWith('.json'))
      .sort()
    if (files.length === 0) throw new Error('holds no vectors')
    for (const file of files) {
      for (const vector of JSON.parse(readFileSync(join(folder, file), 'utf8'))) summary.replay(vector)
    }
  } catch (error) {
    summary.failures.push(`${folder}: ${error.message}`)
  }
  return summary
}

function main(folder) {
  if (folder === undefined) {
    console.error('usage: vectors.mjs FOLDER')
    return 2
  }
  const { passed, failures } = replayAll(folder)
  for (const kind of Object.keys(REPLAY).filter(kind => passed.has(kind))) {
    const { vectors, steps } = passed.get(kind)
    console.log(`node    ${kind.padEnd(8)} ${`${vectors}`.padStart(5)} vectors ${`${steps}`.padStart(7)} steps passed`)
  }
  for (const failure of failures) console.log(`node    FAILED ${failure}`)
  return failures.length === 0 ? 0 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = main(process.argv[2])
