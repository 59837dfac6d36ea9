/** The processes that measure: one per subject, each answering one question at a time. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { title } from './subject.mjs'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

/** A fresh process for a subject. */
export class Measuring {
  #child
  #dead
  #waiting = undefined

  constructor(subject, flags = []) {
    const name = title(subject)
    this.#child = fork(CHILD, [name], { execArgv: flags })
    this.#dead = new Promise((_, reject) => {
      this.#child.once('exit', code => reject(new Error(`the process of \`${name}\` ended with ${code}`)))
    })
    // Whoever asks next is told.
    this.#dead.catch(() => {})
    this.#child.on('message', answer => this.#waiting?.(answer))
  }

  /** Resolves when the subject is made. */
  ready() {
    return this.#answer()
  }

  /** What it answers to a message. */
  ask(message) {
    const answer = this.#answer()
    this.#child.send(message)
    return answer
  }

  #answer() {
    const answered = new Promise(resolve => (this.#waiting = resolve))
    return Promise.race([answered, this.#dead])
  }

  end() {
    this.#child.disconnect()
  }
}
