/** What must pass without the newest declarations of the language, and without a check of those it needs. */
import { Guard, type Permit } from 'overcurrent'
import { disabled, instant, type Switched } from 'overcurrent/testing'

const off: Switched = disabled()
const answer: Promise<number> = instant(() => new Guard('g').call(() => 1))
const end = (permit: Permit | undefined): void => permit?.cancelled()
console.log(off, answer, end)
