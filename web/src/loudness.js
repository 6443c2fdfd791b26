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
 *
 * Not on iPhones and iPads: what goes through a graph there falls silent with the screen, and in silent mode. They can be told
 * by their audio elements, whose volume cannot be set.
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

  /** Where other sounds of the page may be made; null where that is not possible. */
  get context() {
    return this.#context;
  }

  /** To be called while a click is handled. Browsers stop all sound until then, and phones when a call comes in. */
  wake() {
    if (!this.#context) this.#connect();
    if (this.#context?.state !== "running") this.#context?.resume().catch(() => {});
  }

  /** @param {number | null | undefined} db */
  set(db) {
    const value = factor(db);
    this.wake();
    if (this.#node) this.#node.gain.value = value;
    else this.#audio.volume = Math.min(1, value);
  }

  #connect() {
    if (typeof AudioContext !== "function") return;
    this.#context = new AudioContext({ latencyHint: "playback" });
    if (!volumeCanBeSet(this.#audio)) return;
    this.#node = this.#context.createGain();
    this.#context.createMediaElementSource(this.#audio).connect(this.#node).connect(this.#context.destination);
  }
}

/** @param {HTMLAudioElement} audio */
function volumeCanBeSet(audio) {
  const before = audio.volume;
  audio.volume = before === 1 ? 0.5 : 1;
  const changed = audio.volume !== before;
  audio.volume = before;
  return changed;
}
