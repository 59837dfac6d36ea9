/** The example of docs/node/adapters.md for NestJS, compiled and run as it stands there, around an application. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { blocks, node, program } from '../tools.mjs'

const [example, ...others] = blocks('docs/node/adapters.md', 'ts')

/** What is around the example: an application with a route, whose dependency fails as it is told. */
const BEFORE = `
import 'reflect-metadata'
import { Controller, Get, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Guard } from 'overcurrent'

const payments = new Guard('payments', { retry: false })

@Controller()
class Shop {
  @Get('pay')
  pay(): Promise<string> {
    return payments.call(() => 'paid')
  }

  @Get('fail')
  fail(): never {
    throw new Error('down')
  }
}

@Module({ controllers: [Shop] })
class Application {}

const app = await NestFactory.create(Application, { logger: false })
`
const AFTER = `
await app.listen(0, '127.0.0.1')
const get = async (path: string) => {
  const response = await fetch(\`\${await app.getUrl()}/\${path}\`)
  return [response.status, response.headers.get('retry-after'), await response.text()]
}
const answers = [await get('pay')]
payments.breaker!.trip('5s')
answers.push(await get('pay'))
// The route's own guard opens after ten failures in a row.
for (let call = 0; call < 10; call++) answers.push(await get('fail'))
answers.push(await get('fail'), await get('pay'))
await app.close()
console.log(JSON.stringify(answers))
`

test('NestJS: a filter answers for open breakers, an interceptor guards the routes', () => {
  assert.deepEqual(others, [])
  const file = fileURLToPath(new URL('nest-example.mts', import.meta.url))
  writeFileSync(file, BEFORE + example + AFTER)
  const compiler = ['--target', 'es2022', '--module', 'nodenext', '--experimentalDecorators', '--skipLibCheck']
  const compiled = node(program('typescript'), ...compiler, '--strict', '--ignoreConfig', file)
  assert.equal(compiled.status, 0, compiled.printed)
  const { status, printed } = node(file.replace(/mts$/, 'mjs'))
  assert.equal(status, 0, printed)
  const answers = JSON.parse(printed)
  const [paid, open, ...failed] = answers
  const unavailable = JSON.stringify({ statusCode: 503, message: 'Service Unavailable' })
  assert.deepEqual([paid, open], [[200, null, 'paid'], [503, '5', unavailable]])
  assert.deepEqual(failed.map(([status]) => status), [...Array(10).fill(500), 503, 503])
})
