/** A run as text, one table, and the same as JSON. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { OPERATIONS } from './subject.mjs'
import { PEERS } from './subjects.mjs'
import { targets } from './targets.mjs'

/** The width of the prose; the tables take theirs. */
const COLUMNS = 110

export class Report {
  constructor({ rounds, rows }, plan) {
    this.rounds = rounds
    this.rows = rows
    this.plan = plan
    this.targets = targets(rows)
  }

  /** How it was measured. */
  get method() {
    const { rounds, rows, plan } = this
    const disturbed = rows.reduce((sum, { time }) => sum + time.disturbed, 0)
    const slices = rows.reduce((sum, { time }) => sum + time.slices, 0)
    return (
      `Node ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}): ${rounds} ` +
      `interleaved rounds; in each, every row has a slice of ${plan.slice} ms in a process of its own, in an order ` +
      `drawn anew; of such processes each row has ${plan.processes}, one after another. Figures are nanoseconds per ` +
      `awaited call, the median and the minimum of all slices, and bytes of the heap per call, from another process. ` +
      `The \`await\` is inside of what is measured; the bare one is a ` +
      `row. ${disturbed} of ${slices} slices, which lost more than 5 % of their time to other processes, are left ` +
      `out; * marks figures of the least disturbed ones, for want of others. A failure comes with a success for ` +
      `every ten. Threads that share an object are told by the time of all by the calls of all. Beside: ${PEERS.map(name => `${name} ${version(name)}`).join(', ')}.`
    )
  }

  /** The method, the table and the targets. */
  get text() {
    const head = ['operation', 'whose', 'policy', 'ns', 'min', 'bytes']
    const rows = this.rows.map(({ subject, time, bytes }) => [
      OPERATIONS[subject.operation],
      subject.whose,
      subject.label,
      `${number(time.median)}${time.doubtful ? '*' : ''}`,
      number(time.minimum),
      bytes === null ? '' : number(bytes),
    ])
    const ratios = this.targets.map(({ ratio, bound, median, minimum, met }) => [
      ratio,
      bound ?? '',
      median.toFixed(2),
      minimum.toFixed(2),
      { true: 'met', false: 'MISSED', null: '' }[met],
    ])
    return [
      wrapped(this.method),
      '',
      ...aligned(head, rows, 3),
      '',
      'Ratios; those with a bound are targets, met or missed by the medians:',
      '',
      ...aligned(['ratio', 'bound', 'medians', 'minima', ''], ratios, 1),
    ].join('\n')
  }

  /** The same for a program. */
  get json() {
    const { method, targets } = this
    const rows = this.rows.map(({ subject, time, bytes }) => {
      const { operation, whose, window, label } = subject
      return { operation, whose, window, policy: label, time, bytes }
    })
    return { method, unit: 'ns', rows, targets }
  }
}

/** The version of a peer, by the lock file. */
function version(name) {
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', import.meta.url), 'utf8'))
  return lock.packages[`node_modules/${name}`].version
}

function number(value) {
  return value < 100 ? value.toFixed(1) : value.toFixed(0)
}

function wrapped(text) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

/** Lines of columns; those from `right` on stand at the right. */
function aligned(head, rows, right) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column].length)))
  const line = row =>
    row
      .map((cell, column) => (column < right ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(line)]
}
