/** Specs under vitest and jest, as their users write them: ours, and the examples of docs/node/testing.md. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { blocks, node, program } from './tools.mjs'

/** Writes the examples for a runner beside our specs; answers how many. */
function examples(runner, ending) {
  const found = blocks('docs/node/testing.md', `js ${runner}`)
  for (const [index, code] of found.entries()) {
    writeFileSync(new URL(`specs/example-${index}.${ending}`, import.meta.url), code)
  }
  return found.length
}

test('vitest', () => {
  const count = examples('vitest', 'vitest.mjs')
  const { status, printed } = node(program('vitest'), 'run', '--root', '.', '--config', 'specs/vitest.config.mjs', '--reporter', 'json')
  assert.equal(status, 0, printed)
  const { numTotalTests, numPassedTests } = JSON.parse(printed.slice(printed.indexOf('{')))
  assert.deepEqual([numTotalTests, numPassedTests, count], [7 + count, 7 + count, 1])
})

test('jest', () => {
  const count = examples('jest', 'jest.cjs')
  const { status, printed } = node(program('jest'), '--config', 'specs/jest.config.json', '--runInBand', '--json')
  assert.equal(status, 0, printed)
  const { numTotalTests, numPassedTests } = JSON.parse(/^\{.*\}$/ms.exec(printed)[0])
  assert.deepEqual([numTotalTests, numPassedTests, count], [7 + count, 7 + count, 1])
})
