/** What any code of this kind must pay: the await, the wrapper, the error. */
import { FLOOR, VALUE, answer, fail } from '../subject.mjs'

export const BARE = 'bare await'
export const WRAPPER = 'try/await wrapper'
export const SHARED = 'throw a shared error'
export const LIGHT = 'throw a new error without a stack'
export const STACK = 'throw a new error with its stack'

function floor(label, once) {
  return { operation: 'floor', whose: FLOOR, window: '', label, make: async () => once }
}

let failures = 0

async function wrapper(fn) {
  try {
    return await fn()
  } catch (error) {
    failures++
    throw error
  }
}

async function light() {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const error = new Error('rejected')
  Error.stackTraceLimit = limit
  throw error
}

async function stack() {
  throw new Error(`rejected ${VALUE}`)
}

export const floors = [
  floor(BARE, answer),
  floor(WRAPPER, () => wrapper(answer)),
  floor(SHARED, fail),
  floor(LIGHT, light),
  floor(STACK, stack),
]
