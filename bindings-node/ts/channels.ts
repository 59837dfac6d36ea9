/**
 * Events for `node:diagnostics_channel`: `overcurrent:stateChange` and so on, one channel for each.
 *
 * A channel does not say when somebody subscribes. So whoever asks for a decision that may be told of attends
 * to the channels first, which is a look at each.
 */
import { channel } from 'node:diagnostics_channel'
import { isAsked, speak } from './behalf.js'
import type { Event } from './event.js'
import { listen, tell, unlisten } from './hearing.js'
import { native } from './native.js'
import type { AttemptSpan } from './tracer.js'

const channels = new Map(native.eventNames().map(name => [name, channel(`overcurrent:${name}`)]))
const all = [...channels.values()]
const publisher = { hear: (event: Event) => void channels.get(event.name)?.publish(event) }
let listener: number | undefined

/**
 * Listens for the channels if anybody has subscribed to one, and says on whose behalf the decision is made. Asked before
 * each, which may be about an attempt with a span.
 */
export function attend(attempt?: AttemptSpan): void {
  if (isAsked()) speak(attempt)
  let wanted = false
  for (const channel of all) wanted ||= channel.hasSubscribers
  if (wanted === (listener !== undefined)) return
  if (listener !== undefined) unlisten(listener)
  listener = wanted ? listen(undefined, { deref: () => publisher }) : undefined
}

/** A decision that is told of; about an attempt with a span, which `ended` ends, if it is given. */
export function told<T>(decide: () => T, attempt?: AttemptSpan, ended?: () => void): T {
  attend(attempt)
  try {
    return decide()
  } finally {
    ended?.()
    tell()
  }
}
