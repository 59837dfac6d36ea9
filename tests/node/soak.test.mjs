/** A short form of the soak; `make soak-node` is the long one. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const CALLS = 200_000

test('200,000 calls, in every way they can go, leave nothing behind', () => {
  const script = fileURLToPath(new URL('soak.mjs', import.meta.url))
  const options = ['--expose-gc', '--max-semi-space-size=2']
  const { status, output } = spawnSync(process.execPath, [...options, script, `${CALLS}`], { encoding: 'utf8' })
  const printed = output.join('')
  assert.equal(status, 0, printed)
  assert.match(printed, /at most 1 listeners/)
})
