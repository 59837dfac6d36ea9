/**
 * A breaker as the docs describe it, with every outcome kept in a list. It shares nothing with the core
 * and is in no hurry. Times are nanoseconds since its creation, as bigints; ratios are parts per million.
 *
 * | position | goes on |
 * | --- | --- |
 * | `closed`, `open`, `half_open` | by itself |
 * | `forced_open`, `forced_closed` | by hand |
 */
import { Stream } from './stream.mjs'

const MILLI = 1_000_000n
const PPM = 1_000_000n

export const ms = count => BigInt(count) * MILLI
const ppm = ratio => BigInt(Math.round(ratio * 1e6))
const least = (one, other) => (one < other ? one : other)
const most = (one, other) => (one > other ? one : other)
const wholeMillis = nanos => ((nanos + MILLI - 1n) / MILLI) * MILLI

/** A policy with every default in its place. Durations in `policy` are milliseconds. */
export function rules(policy) {
  const { window, failureRate, minimumCalls, slowCall, slowRate, consecutiveFailures } = policy
  const windowed = [window, failureRate, minimumCalls, slowCall, slowRate].some(field => field !== undefined)
  const untold = !windowed && consecutiveFailures === undefined
  const calls = window?.calls
  return {
    calls,
    width: calls === undefined ? ms(window?.time ?? 10_000) / BigInt(window?.buckets ?? 10) : undefined,
    buckets: BigInt(window?.buckets ?? 10),
    windowed: windowed || untold,
    failureRate: ppm(failureRate ?? 0.5),
    minimumCalls: minimumCalls ?? Math.min(20, calls ?? 20),
    slowCall: slowCall === undefined ? undefined : ms(slowCall),
    slowRate: ppm(slowRate ?? 1),
    inARow: consecutiveFailures ?? (untold ? 10 : undefined),
    // By default failures in a row are there for windows that do not fill.
    inARowForTrickles: untold,
    abandonAfter: policy.abandonAfter ?? slowCall,
    cooldown: ms(policy.cooldown ?? 5_000),
    cooldownMax: ms(policy.cooldownMax ?? 60_000),
    multiplier: ppm(policy.cooldownMultiplier ?? 2),
    jitter: ppm(policy.cooldownJitter ?? 0.1),
    probes: policy.probes ?? 1,
    closeAfter: policy.closeAfter ?? 1,
    reopenAfter: policy.reopenAfter ?? 1,
    probeTimeout: ms(policy.probeTimeout ?? 30_000),
  }
}

export class BreakerModel {
  epoch = 0
  position = 'closed'
  late = 0
  reason = undefined
  #rules
  #stream
  #opens = 0
  #openUntil = 0n
  #forgivenAt = 0n
  /** Why it left closed last. */
  #cause = undefined
  #outcomes = []
  #inARow = 0
  #probes = undefined

  constructor(policy, seed) {
    this.#rules = rules(policy)
    this.#stream = new Stream(seed)
  }

  /** Probes that are out; 0 where there are none. */
  get outstanding() {
    return this.position === 'half_open' ? this.#probes.outstanding : 0
  }

  /** How long until a probe is admitted, in nanoseconds; `undefined` while it is not open. */
  remaining(now) {
    return this.position === 'open' ? most(this.#openUntil - now, 0n) : undefined
  }

  /** `{ epoch, at }` of a permit, or `{ rejected, after }`. */
  acquire(now) {
    const { probes, closeAfter, reopenAfter, probeTimeout } = this.#rules
    if (this.position === 'forced_open') return { rejected: 'forced_open', after: undefined }
    if (this.position === 'open') {
      if (now < this.#openUntil) return { rejected: 'open', after: this.#openUntil - now }
      this.#go('half_open')
      this.#probes = { outstanding: 0, granted: 0, successes: 0, failures: 0, deadline: 0n }
    }
    if (this.position === 'half_open') {
      const out = this.#probes
      if (out.outstanding < probes && out.granted < closeAfter + reopenAfter - 1) {
        out.outstanding++
        out.granted++
        out.deadline = most(out.deadline, wholeMillis(now + probeTimeout))
      } else if (now >= out.deadline) {
        this.#open('probe_timeout', now)
        return { rejected: 'open', after: this.#openUntil - now }
      } else {
        return { rejected: 'half_open', after: undefined }
      }
    }
    return { epoch: this.epoch, at: now }
  }

  record({ epoch }, outcome, took, now) {
    const { abandonAfter, slowCall, closeAfter, reopenAfter } = this.#rules
    if (epoch !== this.epoch) return void this.late++
    if (outcome === 'cancelled' && abandonAfter !== undefined && took >= ms(abandonAfter)) outcome = 'failure'
    const slow = slowCall !== undefined && took >= slowCall
    if (this.position === 'half_open') {
      const out = this.#probes
      out.outstanding--
      if (outcome === 'cancelled' || outcome === 'ignored') {
        out.granted--
      } else if (outcome === 'failure' || (slow && this.#cause === 'slow_rate')) {
        if (++out.failures >= reopenAfter) this.#open('probe_failed', now)
      } else if (++out.successes >= closeAfter) {
        this.#go('closed')
        this.#forgivenAt = wholeMillis(now + this.#length())
      }
    } else if (outcome === 'success' || outcome === 'failure') {
      this.#count(outcome === 'failure', slow, now)
    }
  }

  #count(failed, slow, now) {
    const { windowed, calls, width, buckets, minimumCalls, failureRate, slowRate, slowCall } = this.#rules
    const newest = this.#outcomes.at(-1)?.tick ?? 0n
    const tick = width === undefined ? 0n : most(now / width, newest)
    this.#outcomes.push({ tick, failed, slow })
    this.#inARow = failed ? this.#inARow + 1 : 0
    if (this.position !== 'closed' || !(failed || slow)) return

    const recent = it => it.tick > tick - buckets
    const inside = calls === undefined ? this.#outcomes.filter(recent) : this.#outcomes.slice(-calls)
    const { inARow, inARowForTrickles } = this.#rules
    if (inARow !== undefined && this.#inARow >= inARow && !(inARowForTrickles && inside.length >= minimumCalls))
      return this.#trip('consecutive_failures', now)
    if (!windowed || inside.length < minimumCalls) return
    const total = BigInt(inside.length)
    const share = kind => BigInt(inside.filter(it => it[kind]).length) * PPM
    if (share('failed') >= failureRate * total) return this.#trip('failure_rate', now)
    if (slowCall !== undefined && share('slow') >= slowRate * total) this.#trip('slow_rate', now)
  }

  /** Opens from closed. */
  #trip(reason, now) {
    this.#forgive(now)
    this.#open(reason, now)
    this.#cause = reason
  }

  #forgive(now) {
    if (this.position === 'closed' && now >= this.#forgivenAt) this.#opens = 0
  }

  #open(reason, now) {
    this.#opens = Math.min(this.#opens + 1, 63)
    const { jitter } = this.#rules
    const length = this.#length()
    const drawn = jitter > 0n ? this.#stream.between(length, length + (length * jitter) / PPM) : length
    this.#go('open', reason)
    this.#openUntil = wholeMillis(now + drawn)
  }

  /** How long the last opening lasts without its jitter. */
  #length() {
    const { cooldown, cooldownMax, multiplier } = this.#rules
    if (this.#opens === 0) return 0n
    let length = cooldown
    for (let opens = 1; opens < this.#opens; opens++) length = least(cooldownMax, (length * multiplier) / PPM)
    return length
  }

  #go(position, reason) {
    this.epoch++
    this.position = position
    this.reason = reason
    this.#outcomes = []
    this.#inARow = 0
  }

  /** Commands of an operator; `time` is for `trip` only. */
  trip(now, time) {
    this.#forgive(now)
    this.#go('open', 'manual')
    this.#openUntil = wholeMillis(now + (time ?? this.#rules.cooldown))
    this.#cause = 'manual'
  }

  reset() {
    this.#go('closed')
    this.#opens = 0
    this.#forgivenAt = 0n
  }

  forceOpen(now) {
    this.#forgive(now)
    this.#go('forced_open')
  }

  forceClosed(now) {
    this.#forgive(now)
    this.#go('forced_closed')
  }

  automatic(now) {
    if (this.position === 'forced_open') {
      this.#go('open', 'manual')
      this.#openUntil = wholeMillis(now)
      this.#cause = 'manual'
    } else if (this.position === 'forced_closed') {
      this.#go('closed')
      this.#forgivenAt = 0n
    }
  }
}
