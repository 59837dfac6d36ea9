/**
 * One slice of measuring: a subject is called for some milliseconds, one call awaited after the other.
 *
 * The loop is part of what is measured; it costs one `await`, which is a subject too (the bare one).
 */
import { readFileSync } from 'node:fs'
import { VALUE } from './subject.mjs'

/** How long a batch is meant to take, in ms: long beside a reading of the clock, short beside a slice. */
const BATCH = 1

/** Calls `once` so often; throws where it does not do what it should. */
export async function succeed(once, count) {
  for (let call = 0; call < count; call++) {
    if ((await once()) !== VALUE) throw new Error('a call answered something else')
  }
}

/** The same for what rejects every time. */
export async function reject(once, count) {
  for (let call = 0; call < count; call++) {
    let error
    try {
      await once()
    } catch (thrown) {
      error = thrown
    }
    if (!(error instanceof Error)) throw new Error('a call did not fail')
  }
}

/** How many ns this thread has waited for a core while it could have run; 0 where the system does not say. */
function waited() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}

/**
 * Measures for about `length` ms with batches of `batch` calls: ns per call, the share of the time
 * that was lost to other processes, and how large the next batch should be.
 */
export async function measure(repeat, once, length, batch) {
  const lost = waited()
  const began = performance.now()
  let now = began
  let calls = 0
  while (now - began < length) {
    await repeat(once, batch)
    calls += batch
    now = performance.now()
  }
  const took = now - began
  return {
    nanos: (took * 1e6) / calls,
    lost: (waited() - lost) / (took * 1e6),
    batch: Math.max(1, Math.round((calls * BATCH) / took)),
  }
}
