// @ts-nocheck: runs in an AudioWorkletGlobalScope, whose names the DOM's types do not know.

/** So many samples go to the page at once: 20 ms at 48 kHz. */
const BLOCK = 960;

/** Hands the microphone's first channel to the page, block by block. */
class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(BLOCK);
  #filled = 0;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (let at = 0; at < samples.length; ) {
      const count = Math.min(samples.length - at, BLOCK - this.#filled);
      this.#block.set(samples.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === BLOCK) this.#give();
    }
    return true;
  }

  #give() {
    this.port.postMessage(this.#block, [this.#block.buffer]);
    this.#block = new Float32Array(BLOCK);
    this.#filled = 0;
  }
}

registerProcessor("voxpost-capture", Capture);
