/**
 * A process of its own for one subject: `child.mjs TITLE`. It makes the subject, says that it is ready,
 * and answers each message `{ slice: ms }` or `{ bytes: n }` from its parent with what it measured.
 */
import { allocated } from './heap.mjs'
import { measure, reject, succeed } from './slice.mjs'
import { rejects, title } from './subject.mjs'
import { subjects } from './subjects.mjs'
import { Threads } from './threads.mjs'

const subject = subjects.find(subject => title(subject) === process.argv[2])
const made = await subject.make()
const measured = subject.threads === undefined ? alone(made) : new Threads(subject, made)

/** What the one thread of this process calls. */
function alone(once) {
  const repeat = rejects(subject) ? reject : succeed
  let batch = 1
  return {
    async measure(length) {
      const slice = await measure(repeat, once, length, batch)
      batch = slice.batch
      return slice
    },
    bytes: calls => allocated(repeat, once, calls),
  }
}

process.on('message', async ({ slice, bytes }) => {
  process.send(slice === undefined ? await measured.bytes(bytes) : await measured.measure(slice))
})
process.on('disconnect', () => process.exit())
process.send('ready')
