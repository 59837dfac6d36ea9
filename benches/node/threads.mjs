/**
 * Several threads that call one shared object at once. Each is timed by itself; the figure is the time of
 * all by the calls of all, so threads that do not hinder each other have the figure of one.
 */
import { Worker } from 'node:worker_threads'
import { title } from './subject.mjs'

const THREAD = new URL('thread.mjs', import.meta.url)

export class Threads {
  #workers

  /** Threads of a subject, which share what `token` names. */
  constructor(subject, token) {
    const workerData = { title: title(subject), token }
    this.#workers = Array.from({ length: subject.threads }, () => new Worker(THREAD, { workerData }))
  }

  /** A slice of all of them at once. */
  async measure(length) {
    const slices = await Promise.all(this.#workers.map(worker => ask(worker, length)))
    // Each thread takes about as long: its calls go by its speed.
    const speed = slices.reduce((sum, { nanos }) => sum + 1 / nanos, 0)
    return { nanos: slices.length / speed, lost: Math.max(...slices.map(({ lost }) => lost)) }
  }
}

function ask(worker, length) {
  return new Promise((resolve, reject) => {
    worker.once('message', answer => {
      worker.off('error', reject)
      resolve(answer)
    })
    worker.once('error', reject)
    worker.postMessage(length)
  })
}
