/** All in samples at 48 kHz. */
const RATE = 48_000;
const START = RATE / 10;
/** After a stall there may be another. */
const AFTER_STALL = RATE / 5;
const BEHIND = 0.6 * RATE;
const FAR_BEHIND = 3 * RATE;
const EDGE = 0.3 * RATE;
const FRAME = 1920;
const FADE = 960;
/** What a frame may leave out: a period of a low voice, or several of a higher one; at most 1.25 times as fast. */
const MIN_SKIP = 320;
const MAX_SKIP = 480;

/**
 * What a live listener hears next: waits out stalls, catches up at 1.25 times the speed without a change of pitch, and jumps to
 * the edge when it is more than three seconds behind. Who listens from the start catches up first.
 */
export class PlayoutQueue {
  /** Sound that was played or left out: the place in the recording. */
  consumed = 0;
  #samples = new Float32Array(RATE);
  #from = 0;
  #to = 0;
  #wanted = START;
  #running = false;
  #ended = false;
  #edge;
  #waiting = 0;
  #frame = new Float32Array(FRAME);
  #left = 0;

  /** @param {boolean} edge  it need not all be heard */
  constructor(edge) {
    this.#edge = edge;
  }

  /** Decoded and not played yet. */
  get buffered() {
    return this.#to - this.#from;
  }

  /** @param {Float32Array} samples @param {number} waiting  what is there beyond them, not decoded yet */
  push(samples, waiting = 0) {
    this.#waiting = waiting;
    if (this.#to + samples.length > this.#samples.length) this.#makeRoom(samples.length);
    this.#samples.set(samples, this.#to);
    this.#to += samples.length;
    if (this.#edge && waiting === 0 && this.buffered > FAR_BEHIND) this.#drop(this.buffered - EDGE);
  }

  /** Nothing more comes. */
  end() {
    this.#ended = true;
  }

  get done() {
    return this.#ended && this.buffered === 0 && this.#left === 0;
  }

  /** Fills a block for the speaker. @param {Float32Array} out */
  pull(out) {
    for (let at = 0; at < out.length; ) {
      if (this.#left === 0 && !this.#nextFrame()) {
        out.fill(0, at);
        return;
      }
      const count = Math.min(this.#left, out.length - at);
      const from = this.#frame.length - this.#left;
      out.set(this.#frame.subarray(from, from + count), at);
      this.#left -= count;
      at += count;
    }
  }

  #nextFrame() {
    if (!this.#running && !this.#ended && this.buffered < this.#wanted) return false;
    this.#running = true;
    if (this.buffered < 0.5 * RATE && this.#waiting === 0) this.#edge = true;
    if (this.buffered < FRAME) return this.#shortFrame();
    const fast = this.buffered + this.#waiting > BEHIND && this.buffered >= FRAME + MAX_SKIP;
    const skip = fast ? this.#bestSkip() : 0;
    const { subarray } = this.#view();
    this.#frame = subarray(skip, FRAME).slice();
    if (skip > 0) {
      const before = subarray(0, FADE);
      for (let i = 0; i < FADE; i += 1) this.#frame[i] = before[i] + (this.#frame[i] - before[i]) * (i / FADE);
    }
    this.#drop(FRAME + skip);
    this.#left = FRAME;
    return true;
  }

  /** The last of it, or of what has come so far. */
  #shortFrame() {
    if (this.buffered === 0) {
      this.#running = false;
      this.#wanted = AFTER_STALL;
      return false;
    }
    this.#frame = this.#view().subarray(0, this.buffered).slice();
    this.#left = this.#frame.length;
    this.#drop(this.#left);
    return true;
  }

  /** Where the sound goes on most like here. */
  #bestSkip() {
    const { subarray } = this.#view();
    const here = subarray(0, FADE);
    let best = { skip: MAX_SKIP, value: -Infinity };
    for (let skip = MIN_SKIP; skip <= MAX_SKIP; skip += 4) {
      const there = subarray(skip, FADE);
      let product = 0;
      let energy = 1e-9;
      for (let i = 0; i < FADE; i += 4) {
        product += here[i] * there[i];
        energy += there[i] * there[i];
      }
      const value = product / Math.sqrt(energy);
      if (value > best.value) best = { skip, value };
    }
    return best.skip;
  }

  #view() {
    return { subarray: (/** @type {number} */ at, /** @type {number} */ count) => this.#samples.subarray(this.#from + at, this.#from + at + count) };
  }

  /** @param {number} count */
  #drop(count) {
    this.#from += count;
    this.consumed += count;
  }

  /** @param {number} more */
  #makeRoom(more) {
    const held = this.#samples.subarray(this.#from, this.#to);
    const fits = held.length + more <= this.#samples.length / 2;
    const next = fits ? this.#samples : new Float32Array(2 * (held.length + more));
    if (fits) next.copyWithin(0, this.#from, this.#to);
    else next.set(held);
    this.#samples = next;
    this.#to = held.length;
    this.#from = 0;
  }
}
