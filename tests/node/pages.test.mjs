/** The guide and the migration pages: every block of JavaScript runs as it stands there, and no link leads nowhere. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { above, blocks, node } from './tools.mjs'

const EXAMPLE = fileURLToPath(new URL('pages/example.mjs', import.meta.url))

const docs = above('docs/node')
const migrating = readdirSync(join(docs, 'migrating')).map(file => `migrating/${file}`)
const PAGES = ['README.md', 'guide.md', ...migrating]

for (const page of PAGES) {
  const examples = blocks(`docs/node/${page}`, 'js')
  for (const [index, code] of examples.entries()) {
    test(`${page}, example ${index + 1}`, () => {
      const file = join(dirname(EXAMPLE), `run-${page.replace(/\W+/g, '-')}-${index + 1}.mjs`)
      writeFileSync(file, code)
      const { status, printed } = node(EXAMPLE, file)
      assert.equal(status, 0, printed)
    })
  }

  test(`${page}, links`, () => {
    const text = readFileSync(join(docs, page), 'utf8')
    for (const [, link] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(docs, dirname(page), link)), link)
    }
  })

  if (page !== 'README.md') test(`${page}, has examples`, () => assert.ok(examples.length >= 3))
}
