/** The random stream of a breaker as the docs describe it: SplitMix64, addressed by the number of the draw. */

const MASK = (1n << 64n) - 1n

function mixed(z) {
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK
  return z ^ (z >> 31n)
}

export class Stream {
  #seed
  #drawn = 0n

  constructor(seed) {
    this.#seed = seed
  }

  /** A whole number from `low` to `high`, both of them included. */
  between(low, high) {
    const draw = mixed((this.#seed + ++this.#drawn * 0x9e3779b97f4a7c15n) & MASK)
    return low + ((draw * (high - low + 1n)) >> 64n)
  }
}
