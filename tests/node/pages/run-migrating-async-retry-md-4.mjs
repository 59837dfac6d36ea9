import assert from 'node:assert/strict'
import retry from 'async-retry'
import { Guard } from 'overcurrent'

const messages = ['refused', 'refused', 'the disk is full']
const fn = attempt => {
  throw new Error(messages[attempt - 1])
}

await assert.rejects(retry((_, attempt) => fn(attempt), { retries: 2 }), { message: 'refused' })
await assert.rejects(new Guard('g').call(({ attempt }) => fn(attempt)), { message: 'the disk is full' })
