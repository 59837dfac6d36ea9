/**
 * The headers of a request that say on whose behalf it is made: other ones with each attempt, and none that whoever
 * makes the request has set.
 */
import { carried } from '../behalf.js'

export class Carrier {
  /** `has` is whether a request has a header, named in lower case, before anything is added to it. */
  readonly #has: (name: string) => boolean

  constructor(has: (name: string) => boolean) {
    this.#has = has
  }

  /** Gives `header` each that the attempt made here is sent with. */
  add(header: (name: string, value: string) => void): void {
    const headers = carried()
    if (headers.length === 0 || this.#has('traceparent')) return
    for (const [name, value] of headers) if (!this.#has(name)) header(name, value)
  }
}
