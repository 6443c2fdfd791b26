/** The server keeps gains peak-safe; what is beyond this would be a mistake that hurts ears. */
const MOST_DB = 24;

/** What samples are multiplied by. @param {number | null | undefined} db */
export function factor(db) {
  const bounded = Math.min(MOST_DB, Math.max(-MOST_DB, Number.isFinite(db) ? Number(db) : 0));
  return 10 ** (bounded / 20);
}

/**
 * Brings every message to the same loudness by the gain that the server has measured (`gain_db`). An audio element alone can
 * only be made quieter, so its sound goes through a gain node, from the first time that it plays.
 */
export class Loudness {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {GainNode | null} */
  #node = null;
  #audio;

  /** @param {HTMLAudioElement} audio */
  constructor(audio) {
    this.#audio = audio;
  }

  /** @param {number | null | undefined} db */
  set(db) {
    const value = factor(db);
    if (!this.#context) this.#connect();
    if (this.#node) this.#node.gain.value = value;
    else this.#audio.volume = Math.min(1, value);
    // Browsers stop it until somebody has touched the page, and phones when a call comes in.
    if (this.#context?.state !== "running") this.#context?.resume().catch(() => {});
  }

  #connect() {
    if (typeof AudioContext !== "function") return;
    this.#context = new AudioContext({ latencyHint: "playback" });
    this.#node = this.#context.createGain();
    this.#context.createMediaElementSource(this.#audio).connect(this.#node).connect(this.#context.destination);
  }
}
