/** What the tests share. */

/** A promise with its two ends. */
export function deferred() {
  let resolve
  let reject
  const promise = new Promise((...ends) => ([resolve, reject] = ends))
  return { promise, resolve, reject }
}

/** What a promise rejects with. */
export async function rejection(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not reject')
}

/** Lets everything run that waits for nothing but its turn. */
export const turn = () => new Promise(resolve => setImmediate(resolve))

/** A function that answers one after the other: errors are thrown. */
export function answers(...results) {
  return () => {
    const result = results.shift()
    if (result instanceof Error) throw result
    return result
  }
}

/** Puts `performance.now` and `setTimeout` under the hand of a test; answers how to move the time. */
export function fakeTime(t) {
  let now = 1_000
  t.mock.method(performance, 'now', () => now)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  return milliseconds => {
    now += milliseconds
    t.mock.timers.tick(milliseconds)
  }
}

/** Whether this run sees no native memory. */
export const unmapped = process.env.OVERCURRENT_NO_EXTERNAL_MEMORY === '1'
