// @ts-nocheck: runs in an AudioWorkletGlobalScope, whose names the DOM's types do not know.
import { PlayoutQueue } from "./playout.js";

/** The page is told each 2,400 samples (50 ms) how far it is. */
const TELL = 2_400;

/** Plays what the page decodes. */
class Playout extends AudioWorkletProcessor {
  #queue;
  #untold = 0;

  constructor({ processorOptions }) {
    super();
    this.#queue = new PlayoutQueue(processorOptions.edge);
    this.port.onmessage = ({ data }) => {
      if (data === "end") this.#queue.end();
      else this.#queue.push(data.samples, data.waiting);
    };
  }

  process(_inputs, [[out]]) {
    this.#queue.pull(out);
    this.#untold += out.length;
    const { consumed, buffered, done } = this.#queue;
    if (done || this.#untold >= TELL) {
      this.#untold = 0;
      this.port.postMessage({ consumed, buffered, done });
    }
    return !done;
  }
}

registerProcessor("voxpost-playout", Playout);
