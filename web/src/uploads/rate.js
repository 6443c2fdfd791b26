/** Over this time the rate is taken: long enough to be calm, short enough to follow a network that changes. */
const WINDOW_MS = 8000;
/** Before this nothing is said: the first bytes only fill buffers. */
const LEAST_MS = 1000;

/** How fast bytes go out, and how long the rest will take. Times are in milliseconds on any clock that only goes forward. */
export class Rate {
  /** @type {{ now: number, bytes: number }[]} Oldest first. */
  #samples = [];

  /** So many bytes have gone out by now. Fewer than before: some were lost on the way. @param {number} now @param {number} bytes */
  handleBytes(now, bytes) {
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    this.#samples.push({ now, bytes });
    while (this.#samples.length > 2 && this.#samples[1].now <= now - WINDOW_MS) this.#samples.shift();
  }

  /** The network went away: what was before it says nothing about what comes. */
  handleBreak() {
    this.#samples = [];
  }

  /** null when it cannot be told yet. */
  get bytes_per_second() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.now - first.now < LEAST_MS || last.bytes === first.bytes) return null;
    return ((last.bytes - first.bytes) * 1000) / (last.now - first.now);
  }

  /** Milliseconds until all of `total` bytes have gone out; null when it cannot be told yet. @param {number} total */
  left_ms(total) {
    const rate = this.bytes_per_second;
    const last = this.#samples.at(-1);
    return rate && last ? ((total - last.bytes) * 1000) / rate : null;
  }
}
