/** The shape of the package: no file imports from itself in a circle. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

const dist = new URL('bindings-node/dist/', import.meta.resolve('overcurrent/package.json'))

/** The files that each declaration file, and so each source, imports from, for values or types. */
function imports() {
  const files = readdirSync(dist).filter(file => file.endsWith('.d.ts'))
  return new Map(
    files.map(file => {
      const text = ['.d.ts', '.js'].map(ending => readFileSync(new URL(file.replace('.d.ts', ending), dist), 'utf8')).join('\n')
      const found = text.matchAll(/(?:from |require\()['"]\.\/(\w[\w-]*)\.js['"]/g)
      return [file.replace('.d.ts', ''), new Set(Array.from(found, ([, name]) => name))]
    }),
  )
}

test('no file imports from itself in a circle', () => {
  const edges = imports()
  assert.ok(edges.size > 20 && edges.get('guard').has('run'), 'the imports were not found')
  const done = new Set()
  const visit = (file, path) => {
    assert.ok(!path.includes(file), `files in a circle: ${[...path, file].join(' → ')}`)
    if (done.has(file)) return
    for (const other of edges.get(file) ?? []) visit(other, [...path, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
})
