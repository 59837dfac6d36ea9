/**
 * Measures what a call through the package costs, beside bare code and other packages; prints one table
 * and the targets, and writes both into target/bench-node.json.
 *
 *     node benches/node/bench.mjs [--quick] [WORD …]
 *
 * `--quick` only shows that everything runs. With words, only what has one of them in its title is
 * measured, beside the floors. The run measures; a target that is missed does not fail it.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Report } from './report.mjs'
import { FULL, QUICK, run } from './rounds.mjs'
import { title } from './subject.mjs'
import { subjects } from './subjects.mjs'

const TARGET = fileURLToPath(new URL('../../target/bench-node.json', import.meta.url))

const options = process.argv.slice(2).filter(argument => argument.startsWith('-'))
const words = process.argv.slice(2).filter(argument => !argument.startsWith('-'))
const unknown = options.find(option => option !== '--quick')
if (unknown !== undefined) {
  console.error(`unknown option \`${unknown}\`; usage: bench.mjs [--quick] [WORD …]`)
  process.exit(2)
}
const plan = options.length === 0 ? FULL : QUICK
const chosen = subjects.filter(
  subject =>
    words.length === 0 || subject.operation === 'floor' || words.some(word => title(subject).includes(word)),
)
const report = new Report(await run(chosen, plan), plan)
console.log(report.text)
writeFileSync(TARGET, `${JSON.stringify(report.json, null, 2)}\n`)
console.log(`\nThe same as JSON: ${TARGET}`)
