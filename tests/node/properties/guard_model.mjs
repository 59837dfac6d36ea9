/**
 * Calls of one guard as the docs describe them. It shares nothing with the core but the names. The test
 * says what its functions do; the model says what must come of that.
 *
 * On a manual clock waits move the time on, and the waiting call's turn comes at once; on JavaScript's,
 * which counts whole milliseconds here, calls are woken when their time comes.
 *
 * | a call is | until |
 * | --- | --- |
 * | `running` | its function settles, its time is up, or its caller gives up |
 * | `waiting` | its turn comes, or its caller gives up |
 * | `over` | for ever; `end` says how |
 */
import { ms } from './breaker_model.mjs'
import { base } from './retry_model.mjs'

const SHORTEST_OPEN_WAIT = ms(10)

const most = (one, other) => (one > other ? one : other)

/** Two things were due at once: whichever is first is right. */
export class Tie extends Error {}

export class GuardModel {
  now = 0n
  /** The calls that run, in the order of their attempts. */
  #running = new Set()
  /** The calls whose turn comes when this one is over. */
  #turns = []
  #policy
  #breaker
  #budget

  /** Whether waits move the time on. */
  #manual
  /** The calls that wait for a timer. */
  #waiting = new Set()

  constructor(policy, breaker, budget, { manual }) {
    this.#policy = policy
    this.#breaker = breaker
    this.#budget = budget
    this.#manual = manual
  }

  /** A call; `script` says what its attempts come to at once, and has nothing for those that run on. */
  begin(script) {
    const { deadline } = this.#policy
    const call = {
      script,
      state: 'running',
      end: undefined,
      began: this.now,
      deadline: deadline === false ? undefined : this.now + ms(deadline),
      attempts: 0,
      rejections: 0,
      waited: false,
      last: undefined,
    }
    this.#budget?.deposit()
    this.#next(call)
    this.#takeTurns()
    return call
  }

  /** The function of a running call settled. */
  settle(call, result) {
    this.#settled(call, result)
    this.#takeTurns()
  }

  /** The caller gave up. */
  abort(call, reason) {
    if (call.state === 'running') this.#record(call, 'cancelled')
    this.#over(call, { rejected: reason })
    this.#takeTurns()
  }

  advance(by) {
    if (!this.#manual) return this.#pass(this.now + by)
    this.now += by
    this.#expire()
    this.#takeTurns()
  }

  /** Timers fire until `end`, one after the other. */
  #pass(end) {
    for (;;) {
      const timed = [...this.#running, ...this.#waiting].filter(({ due }) => due !== undefined && due <= end)
      const [first, second] = timed.sort((one, other) => Number(one.due - other.due))
      this.now = first?.due ?? end
      if (first === undefined) return
      if (first.due === second?.due) throw new Tie()
      if (this.#waiting.delete(first)) this.#next(first)
      else this.#cut(first)
    }
  }

  #next(call) {
    if (call.deadline !== undefined && this.now >= call.deadline) return this.#exceeded(call)
    const pass = this.#breaker?.acquire(this.now) ?? {}
    if (pass.rejected !== undefined) return this.#rejected(call, pass)
    call.rejections = 0
    call.attempts++
    call.pass = pass
    call.started = this.now
    const { attemptTimeout } = this.#policy
    const ends = [attemptTimeout === false ? undefined : this.now + ms(attemptTimeout), call.deadline]
    // Both at once is the attempt's.
    call.cutBy = ends[1] === undefined || (ends[0] !== undefined && ends[0] <= ends[1]) ? 'attempt' : 'deadline'
    call.due = ends[call.cutBy === 'attempt' ? 0 : 1]
    call.state = 'running'
    this.#running.add(call)
    const result = call.script[call.attempts - 1]
    if (result != null) this.#settled(call, result)
  }

  #rejected(call, { rejected, after }) {
    const { whenOpen, retry } = this.#policy
    if (whenOpen === 'wait' && rejected !== 'forced_open') {
      const wait = base(retry.backoff, ++call.rejections)
      const longest = most(most(wait, after ?? 0n), SHORTEST_OPEN_WAIT)
      if (call.deadline === undefined || this.now + longest < call.deadline) return this.#wait(call, longest)
    }
    if (call.attempts === 0) this.#over(call, { rejected: 'BREAKER_OPEN', reason: rejected })
    else this.#stop(call, 'breaker_open')
  }

  #settled(call, result) {
    const { verdict } = result
    call.last = result
    this.#record(call, { success: 'success', ignored: 'ignored' }[verdict] ?? 'failure')
    if (verdict === 'success' || verdict === 'ignored') this.#stop(call, undefined)
    else this.#decide(call, verdict !== 'final', result.hint)
  }

  /** What follows a failed attempt. */
  #decide(call, retryable, hint) {
    const { retry, whenOpen } = this.#policy
    if (!retryable) return this.#stop(call, 'not_retryable')
    if (retry === false || call.attempts >= retry.maxAttempts) return this.#stop(call, 'attempts_exhausted')
    const wait = most(base(retry.backoff, call.attempts), hint === undefined ? 0n : ms(hint))
    if (hint !== undefined && hint > retry.maxHint) return this.#stop(call, 'hint_too_long')
    if (call.deadline !== undefined && this.now + wait >= call.deadline) return this.#stop(call, 'deadline')
    if (whenOpen === 'fail' && this.#breaker !== undefined) {
      const { position } = this.#breaker
      if (position === 'forced_open' || (position === 'open' && this.#breaker.remaining(this.now) > wait))
        return this.#stop(call, 'breaker_open')
    }
    if (this.#budget?.withdraw(this.now) === false) return this.#stop(call, 'budget_exhausted')
    this.#wait(call, wait)
  }

  /** Ends the call with what its last attempt came to. */
  #stop(call, stop) {
    const { value, error } = call.last
    this.#over(call, error === undefined ? { value } : { rejected: error, stop })
  }

  #exceeded(call) {
    this.#over(call, { rejected: 'DEADLINE_EXCEEDED', cause: call.last?.error })
  }

  /** By hand the clock moves on by the whole wait, and the call's turn comes after those of others. */
  #wait(call, wait) {
    call.state = 'waiting'
    call.waited = true
    if (!this.#manual) {
      // The shortest time that a timer takes.
      call.due = this.now + most(wait, ms(1))
      this.#waiting.add(call)
      return
    }
    this.now += wait
    this.#turns.push(call)
  }

  #takeTurns() {
    for (let call = this.#turns.shift(); call !== undefined; call = this.#turns.shift()) {
      this.#expire()
      if (call.state === 'waiting') this.#next(call)
    }
  }

  /** Cuts what is due, the earliest first. */
  #expire() {
    const due = [...this.#running].filter(call => call.due !== undefined && call.due <= this.now)
    due.sort((one, other) => Number(one.due - other.due))
    for (const call of due) if (this.#running.has(call)) this.#cut(call)
  }

  #cut(call) {
    if (call.cutBy === 'deadline') {
      // Who had little time left says nothing of the dependency.
      this.#record(call, call.waited ? 'ignored' : 'failure')
      return this.#exceeded(call)
    }
    this.#record(call, 'failure')
    call.last = { error: 'ATTEMPT_TIMEOUT' }
    this.#decide(call, true, undefined)
  }

  /** The attempt that ran is over. */
  #record(call, outcome) {
    this.#running.delete(call)
    this.#breaker?.record(call.pass, outcome, this.now - call.started, this.now)
  }

  #over(call, end) {
    call.state = 'over'
    this.#waiting.delete(call)
    call.end = { ...end, attempts: call.attempts, elapsed: this.now - call.began }
  }
}
