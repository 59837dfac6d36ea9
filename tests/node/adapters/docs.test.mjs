/** The examples of docs/node/adapters.md, run as they stand there. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { above, blocks } from '../tools.mjs'
import { Orders } from './orders.mjs'
import { Server } from './server.mjs'

const require = createRequire(import.meta.url)

const PAGE = 'docs/node/adapters.md'
const examples = blocks(PAGE, 'js')

test('there are examples', () => assert.ok(examples.length >= 10))

for (const [index, code] of examples.entries()) {
  test(`example ${index + 1}`, async t => {
    const [server, orders] = [await Server.start(t), await Orders.start(t)]
    Object.assign(globalThis, { url: server.url, target: orders.target })
    const script = new URL(`example-${index + 1}.mjs`, import.meta.url)
    writeFileSync(script, code)
    await import(script)
    assert.equal(server.seen.length, /\burl\b/.test(code) ? 1 : 0)
    assert.equal(orders.seen.length, /\btarget\b/.test(code) ? 1 : 0)
  })
}

test('each adapter of the package is on the page', () => {
  const { exports } = require('overcurrent/package.json')
  const text = readFileSync(above(PAGE), 'utf8')
  for (const entry of Object.keys(exports)) {
    if (['.', './testing', './package.json'].includes(entry)) continue
    assert.ok(text.includes(`\`overcurrent${entry.slice(1)}\``), entry)
  }
})
