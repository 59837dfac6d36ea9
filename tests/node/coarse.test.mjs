/** The clock that may be behind: by how much, and for whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const dist = join(dirname(require.resolve('overcurrent/package.json')), 'bindings-node/dist')
const { CoarseClock, GRAIN } = require(join(dist, 'coarse.js'))

/** One over a clock and a timer that a test moves. */
function bench() {
  const it = { now: 0, readings: 0, timers: [] }
  const read = () => {
    it.readings++
    return it.now
  }
  it.clock = new CoarseClock(read, (run, ms) => it.timers.push({ run, ms }))
  return it
}

test('calls that come thin are told the time as it is', () => {
  const it = bench()
  for (it.now = 0; it.now < 100e6; it.now += 1e6) assert.equal(it.clock.now(), it.now)
  assert.deepEqual([it.readings, it.timers.length], [100, 0])
})

test('where they come thick, one reading serves thirty-two', () => {
  const it = bench()
  assert.equal(it.clock.now(), 0)
  for (let call = 1; call <= 320; call++) {
    it.now = call * 100
    assert.equal(it.clock.now(), Math.floor((call - 1) / 32) * 3200 + 100)
  }
  assert.equal(it.readings, 11)
  assert.deepEqual(it.timers.map(({ ms }) => ms * 1e6), [GRAIN], 'one timer at a time')
})

test('no reading outlives its timer', () => {
  const it = bench()
  it.clock.now()
  it.clock.now()
  it.now = GRAIN
  assert.equal(it.clock.now(), 0, 'the timer has not fired')
  it.timers.shift().run()
  assert.equal(it.clock.now(), GRAIN)
  assert.equal(it.timers.length, 0, 'the last reading is long ago')
  it.now += 1
  assert.equal(it.clock.now(), GRAIN + 1)
  assert.equal(it.timers.length, 1, 'they come thick again')
})

test('where no timer gets a turn, it is behind for thirty-one calls', () => {
  const it = bench()
  it.clock.now()
  it.clock.now()
  it.now = 60e9
  for (let call = 0; call < 31; call++) assert.equal(it.clock.now(), 0)
  assert.equal(it.clock.now(), 60e9)
})
