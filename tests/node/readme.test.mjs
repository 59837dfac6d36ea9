/** README's Node example, run as it stands there, with README's policy file. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { node } from './tools.mjs'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The first block of README in `language`. */
function block(language) {
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(readme)
  assert.notEqual(found, null, `README has no ${language}`)
  return found[1]
}

test('the example runs', () => {
  writeFileSync(new URL('overcurrent.toml', import.meta.url), block('toml'))
  const example = new URL('readme-example.mjs', import.meta.url)
  writeFileSync(example, block('js'))
  const { status, printed } = node(fileURLToPath(example))
  assert.equal(status, 0, printed)
})
