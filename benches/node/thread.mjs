/** One thread of a subject that several threads share; see threads.mjs. */
import { parentPort, workerData } from 'node:worker_threads'
import { measure, succeed } from './slice.mjs'
import { title } from './subject.mjs'
import { subjects } from './subjects.mjs'

const subject = subjects.find(subject => title(subject) === workerData.title)
const once = await subject.join(workerData.token)
let batch = 1

parentPort.on('message', async length => {
  const measured = await measure(succeed, once, length, batch)
  batch = measured.batch
  parentPort.postMessage(measured)
})
