/** The examples of docs/node, and those beside the declarations of `overcurrent/testing`, run as they stand there. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { blocks, node } from './tools.mjs'

const require = createRequire(import.meta.url)

/** The examples in the comments of an entry point's declarations. */
function examples(entry) {
  const text = readFileSync(require.resolve(entry).replace(/js$/, 'd.ts'), 'utf8')
  const comments = [...text.matchAll(/^\/\*\*$(.*?)^ \*\/$/gms)].map(([, comment]) => comment.replace(/^ \* ?/gm, ''))
  return comments.flatMap(comment => comment.split(/^@example$/m).slice(1))
}

function runs(name, code) {
  test(name, () => {
    const script = new URL(`example-${name.replace(/\W+/g, '-')}.mjs`, import.meta.url)
    writeFileSync(script, code)
    const { status, printed } = node(fileURLToPath(script))
    assert.equal(status, 0, printed)
  })
}

for (const page of ['docs/node/testing.md', 'docs/node/installing.md', 'docs/metrics.md', 'docs/tracing.md']) {
  for (const [index, code] of blocks(page, 'js').entries()) runs(`${page} ${index + 1}`, code)
}
const beside = examples('overcurrent/testing')
test('there are examples', () => assert.equal(beside.length, 3))
for (const [index, code] of beside.entries()) runs(`overcurrent/testing ${index + 1}`, code)
