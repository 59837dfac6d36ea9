/** Figures and targets of a run that never was. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figures } from './figures.mjs'
import { shuffled } from './rounds.mjs'
import { FLOOR, OWN, rejects, title } from './subject.mjs'
import { WRAPPER } from './subjects/floors.mjs'
import { subjects } from './subjects.mjs'
import { targets } from './targets.mjs'

const calm = nanos => ({ nanos, lost: 0.01 })

test('the median is the middle and the minimum the least', () => {
  const { median, minimum, slices } = figures([calm(30), calm(10), calm(20)])
  assert.deepEqual([median, minimum, slices], [20, 10, 3])
  assert.equal(figures([calm(40), calm(10), calm(20), calm(30)]).median, 25)
})

test('disturbed slices are left out while enough remain', () => {
  const slices = [...Array(5).fill(calm(10)), { nanos: 1, lost: 0.06 }, { nanos: 99, lost: 0.9 }]
  const { median, minimum, disturbed, doubtful } = figures(slices)
  assert.deepEqual([median, minimum, disturbed, doubtful], [10, 10, 2, false])
})

test('the least disturbed take the place of calm ones', () => {
  const noisy = Array.from({ length: 20 }, (_, nanos) => ({ nanos, lost: 0.5 }))
  const quieter = Array(5).fill({ nanos: 100, lost: 0.1 })
  const { median, doubtful } = figures([...noisy, ...quieter])
  assert.deepEqual([median, doubtful], [100, true])
})

test('every order is as likely as every other', () => {
  const seen = new Map()
  let state = 1
  const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
  for (let draw = 0; draw < 6_000; draw++) {
    const order = shuffled([1, 2, 3], random).join('')
    seen.set(order, (seen.get(order) ?? 0) + 1)
  }
  assert.equal(seen.size, 6)
  for (const [order, times] of seen) assert.ok(times > 850 && times < 1_150, `${order}: ${times}`)
})

function row(operation, whose, label, window, median, more = {}) {
  return { subject: { operation, whose, label, window, ...more }, time: { median, minimum: median / 2 }, bytes: 0 }
}

test('targets are ratios of what was measured', () => {
  const made = targets([
    row('floor', FLOOR, WRAPPER, '', 100),
    row('breaker', OWN, 'ours', 'calls', 120),
    row('breaker', 'cockatiel', 'theirs', 'calls', 110),
    row('both', OWN, 'ours', 'calls', 170),
    row('both', 'cockatiel', 'theirs', 'calls', 340),
    row('timed', OWN, 'ours', 'time', 350),
    row('timed', 'cockatiel', 'theirs', 'time', 10_000),
    row('timed', 'opossum', 'theirs', 'time', 700),
    row('rejection', OWN, 'ours', '', 1_000),
    row('rejection', 'opossum', 'theirs', '', 3_000),
    row('retry', 'p-retry', 'nothing of ours beside it', '', 1),
    row('threads', OWN, 'breaker, 1', '', 100, { threads: 1 }),
    row('threads', OWN, 'breaker, 2', '', 130, { threads: 2 }),
  ])
  assert.deepEqual(
    made.map(({ ratio, bound, median, met }) => [ratio.split(':')[0], bound, Number(median.toFixed(2)), met]),
    [
      ['breaker', '≤ 1.3', 1.2, true],
      ['retry + breaker', '≤ 1.6', 1.7, false],
      ['with timeouts', '≤ 3.5', 3.5, true],
      ['breaker', '< 1', 1.09, false],
      ['retry + breaker', '≥ 2', 2, true],
      ['with timeouts', '≥ 30', 28.57, false],
      ['with timeouts', null, 2, null],
      ['rejection', '≥ 3', 3, true],
      ['shared by threads', null, 1.3, null],
    ],
  )
})

test('no two subjects have one title, and only what can fail is expected to', () => {
  const titles = subjects.map(title)
  assert.equal(new Set(titles).size, titles.length)
  const failing = subjects.filter(rejects).map(({ operation }) => operation)
  assert.deepEqual([...new Set(failing)].sort(), ['failure', 'floor', 'rejection'])
})
