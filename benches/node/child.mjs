/**
 * A process of its own for one subject: `child.mjs TITLE`. It makes the subject, says that it is ready,
 * and answers each message `{ slice: ms }` or `{ bytes: n }` from its parent with what it measured.
 */
import { reject, measure, succeed } from './slice.mjs'
import { allocated } from './heap.mjs'
import { rejects, title } from './subject.mjs'
import { subjects } from './subjects.mjs'

const subject = subjects.find(subject => title(subject) === process.argv[2])
const repeat = rejects(subject) ? reject : succeed
const once = await subject.make()
let batch = 1

process.on('message', async ({ slice, bytes }) => {
  if (slice !== undefined) {
    const measured = await measure(repeat, once, slice, batch)
    batch = measured.batch
    process.send(measured)
  } else {
    process.send(await allocated(repeat, once, bytes))
  }
})
process.on('disconnect', () => process.exit())
process.send('ready')
