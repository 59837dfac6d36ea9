/**
 * Interleaved rounds: in each, every subject has one slice in its own process, in an order drawn anew,
 * so that what changes in the machine over a run changes for all of them. What the compiler makes of a subject
 * is for its process to keep, and differs by a tenth between two of them; so there are several, one after another.
 */
import { FLAGS } from './heap.mjs'
import { figures } from './figures.mjs'
import { Measuring } from './process.mjs'

/** How much is measured; times in ms. No round of a process begins later than `limit` after its first. */
export const FULL = { processes: 5, rounds: 15, slice: 25, limit: 30_000, bytes: 10_000 }
/** Some seconds: enough to see that everything runs, not to compare. */
export const QUICK = { processes: 1, rounds: 2, slice: 5, limit: 10_000, bytes: 1_000 }

/** Slices before the first round of a process, in which the code is compiled. */
const WARM_UP = 6

/** How many processes are started at once. */
const ABREAST = 2

/**
 * Measures the subjects. Answers a row for each, `{ subject, time, bytes }`, and how many rounds were made.
 */
export async function run(subjects, plan) {
  const tracks = subjects.map(subject => ({ subject, slices: [], bytes: null }))
  const alone = tracks.filter(({ subject }) => subject.threads === undefined)
  await abreast(alone, async track => {
    const measuring = new Measuring(track.subject, FLAGS)
    await measuring.ready()
    track.bytes = await measuring.ask({ bytes: plan.bytes })
    measuring.end()
  })
  let rounds = 0
  for (let process = 0; process < plan.processes; process++) rounds += await measured(tracks, plan)
  const rows = tracks.map(({ subject, slices, bytes }) => ({ subject, time: figures(slices), bytes }))
  return { rounds, rows }
}

/** Measures all of them in fresh processes; answers how many rounds were made. */
async function measured(tracks, plan) {
  await abreast(tracks, async track => {
    track.measuring = new Measuring(track.subject)
    await track.measuring.ready()
  })
  let rounds = 0
  const began = performance.now()
  for (let round = -WARM_UP; round < plan.rounds; round++) {
    if (round > 0 && performance.now() - began > plan.limit) break
    for (const track of shuffled(tracks)) {
      const slice = await track.measuring.ask({ slice: plan.slice })
      if (round >= 0) track.slices.push(slice)
    }
    if (round >= 0) rounds++
  }
  for (const track of tracks) track.measuring.end()
  return rounds
}

async function abreast(things, work) {
  const queue = [...things]
  const worker = async () => {
    for (let thing = queue.shift(); thing !== undefined; thing = queue.shift()) await work(thing)
  }
  await Promise.all(Array.from({ length: ABREAST }, worker))
}

/** In an order that is as likely as every other (Fisher and Yates). */
export function shuffled(things, random = Math.random) {
  const drawn = [...things]
  for (let last = drawn.length - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1))
    ;[drawn[last], drawn[chosen]] = [drawn[chosen], drawn[last]]
  }
  return drawn
}
