/** @typedef {import("../types.js").PlaybackAnswer} PlaybackAnswer */
/**
 * @typedef {{ type: "playing" } | { type: "yield", messageId: string } | { type: "answer", messageId: string, answer: PlaybackAnswer }} Note
 */

/** How long another tab may take to let go of a message; one that sleeps is not waited for. */
const YIELD_MS = 1000;

/**
 * The tabs of one browser and person: one plays at a time, and a message has one player, whose journal the next tab takes
 * over. By Web Locks and a BroadcastChannel. Over plain http there are no locks: there a message is taken when it is played, and
 * what an earlier page did not get through to the server is told then.
 */
export class Tabs {
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #userId = "";

  /** Another tab began to play. */
  onPlaying = () => {};
  /** Another tab wants this message. @param {string} _messageId */
  onYield = (_messageId) => {};
  /** Another tab heard from the server. @param {string} _messageId @param {PlaybackAnswer} _answer */
  onAnswer = (_messageId, _answer) => {};

  /** @param {string} userId */
  join(userId) {
    this.#userId = userId;
    if (typeof BroadcastChannel !== "function") return;
    this.#channel = new BroadcastChannel(`voxpost.playback.${userId}`);
    this.#channel.addEventListener("message", ({ data }) => this.#came(data));
  }

  leave() {
    this.#channel?.close();
    this.#channel = null;
  }

  playing() {
    this.#post({ type: "playing" });
  }

  /** @param {string} messageId @param {PlaybackAnswer} answer */
  answered(messageId, answer) {
    this.#post({ type: "answer", messageId, answer });
  }

  /**
   * Takes a message that no other tab holds; null when one does.
   * @param {string} messageId
   * @param {() => void} onLost  it was taken away after all
   * @returns {Promise<(() => void) | null>}  lets go
   */
  takeIfFree(messageId, onLost) {
    return this.#hold(messageId, { ifAvailable: true }, onLost);
  }

  /**
   * Takes a message, from another tab if need be.
   * @param {string} messageId
   * @param {() => void} onLost
   * @returns {Promise<() => void>}
   */
  async take(messageId, onLost) {
    const free = await this.takeIfFree(messageId, onLost);
    if (free) return free;
    this.#post({ type: "yield", messageId });
    const waited = await this.#hold(messageId, { signal: AbortSignal.timeout(YIELD_MS) }, onLost).catch(() => null);
    return waited ?? (await this.#hold(messageId, { steal: true }, onLost).catch(() => null)) ?? (() => {});
  }

  /**
   * @param {string} messageId
   * @param {LockOptions} options
   * @param {() => void} onLost
   * @returns {Promise<(() => void) | null>}
   */
  #hold(messageId, options, onLost) {
    if (!navigator.locks) return Promise.resolve(options.ifAvailable ? null : () => {});
    return new Promise((resolve, reject) => {
      let held = false;
      const hold = (/** @type {Lock | null} */ lock) => {
        if (!lock) return resolve(null);
        held = true;
        return new Promise((/** @type {(value?: unknown) => void} */ release) => resolve(() => release()));
      };
      navigator.locks.request(`voxpost.playback.${this.#userId}.${messageId}`, options, hold).catch((error) => (held ? onLost() : reject(error)));
    });
  }

  /** @param {Note} note */
  #post(note) {
    this.#channel?.postMessage(note);
  }

  /** @param {Note} note */
  #came(note) {
    if (note.type === "playing") this.onPlaying();
    if (note.type === "yield") this.onYield(note.messageId);
    if (note.type === "answer") this.onAnswer(note.messageId, note.answer);
  }
}
