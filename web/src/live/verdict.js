const WINDOW_BLOCKS = 150; // 3 s
const SILENT = 0.001; // −60 dBFS
const QUIET = 0.02; // −34 dBFS
const FULL = 0.99;
const CLIPPED_BLOCKS = 5;

/** @typedef {"good" | "silent" | "quiet" | "clipping"} Verdict */

/**
 * What is wrong with a microphone, from the peaks of the last three seconds: nothing comes from it, too little, or too much.
 * Speech has its pauses: it is `quiet` only when nothing louder came in all of that time.
 */
export class MicrophoneVerdict {
  /** @type {number[]} */
  #peaks = [];

  /** Blocks of 20 ms. @param {Float32Array} samples @returns {Verdict} */
  handleBlock(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    this.#peaks.push(peak);
    if (this.#peaks.length > WINDOW_BLOCKS) this.#peaks.shift();
    return this.verdict;
  }

  get verdict() {
    const loudest = Math.max(0, ...this.#peaks);
    if (this.#peaks.filter((peak) => peak >= FULL).length >= CLIPPED_BLOCKS) return "clipping";
    if (this.#peaks.length < WINDOW_BLOCKS) return "good";
    return loudest < SILENT ? "silent" : loudest < QUIET ? "quiet" : "good";
  }
}
