/** What vitest's users write, under its fake timers; run by `runners.test.mjs`. */
import { AttemptTimeout, BreakerOpen, Guard, constant } from 'overcurrent'
import { ManualClock, disabled, instant } from 'overcurrent/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

const hourly = { maxAttempts: 2, backoff: constant('1h'), jitter: 'none' }
const stuck = () => new Promise(() => {})

function flaky() {
  let calls = 0
  return async () => {
    if (++calls === 1) throw new Error('failure')
    return calls
  }
}

describe.each(['fake', 'real'])('with %s timers', kind => {
  beforeEach(() => void (kind === 'fake' && vi.useFakeTimers()))
  afterEach(() => void vi.useRealTimers())

  test('a manual clock moves waits and timeouts', async () => {
    const clock = new ManualClock()
    const guard = new Guard('payments', { deadline: false, attemptTimeout: '2s', retry: hourly, clock })
    await expect(guard.call(flaky())).resolves.toBe(2)
    expect(clock.nowNs).toBe(3_600_000_000_000n)
    const failed = expect(new Guard('payments', { retry: false, clock }).call(stuck)).rejects.toThrow(AttemptTimeout)
    clock.advance('10s')
    await failed
  })

  test('instant leaves out the waits', async () => {
    await expect(instant(() => new Guard('payments', { deadline: false, retry: hourly }).call(flaky()))).resolves.toBe(2)
  })

  test('disabled leaves out everything', async () => {
    const guard = new Guard('payments')
    guard.breaker.forceOpen()
    await expect(guard.call(() => 'receipt')).rejects.toBeInstanceOf(BreakerOpen)
    await expect(disabled(() => guard.call(() => 'receipt'))).resolves.toBe('receipt')
  })
})

test('fake timers move waits and timeouts', async () => {
  vi.useFakeTimers()
  const guard = new Guard('payments', { deadline: false, attemptTimeout: '2s', retry: hourly })
  const call = guard.call(({ attempt }) => (attempt === 1 ? stuck() : 'receipt'))
  await vi.advanceTimersByTimeAsync(2000)
  await vi.advanceTimersByTimeAsync(3_600_000)
  await expect(call).resolves.toBe('receipt')
  vi.useRealTimers()
})
