import { Loudness } from "./loudness.js";

/** @typedef {import("./types.js").Message} Message */

/** Containers of the same Opus sound, best first, and what a browser calls them. */
const FORMATS = /** @type {const} */ ([
  ["ogg", 'audio/ogg; codecs="opus"'],
  ["webm", 'audio/webm; codecs="opus"'],
  ["mp4", 'audio/mp4; codecs="opus"'],
  ["m4a", 'audio/mp4; codecs="mp4a.40.2"'],
  ["mp3", "audio/mpeg"],
  ["wav", "audio/wav"],
]);

export const SPEEDS = [1, 1.5, 2];

/**
 * The best form that a player says it can play, of those that the server has; the canonical one when none is sure.
 * @param {readonly string[]} offered
 * @param {(type: string) => string} canPlayType
 */
export function chooseFormat(offered, canPlayType) {
  const possible = FORMATS.filter(([name]) => offered.includes(name));
  return (possible.find(([, type]) => canPlayType(type) === "probably") ?? possible.find(([, type]) => canPlayType(type)))?.[0] ?? "ogg";
}

/**
 * Plays one message at a time through one audio element. Tells of every change, and of progress while it plays, by the
 * event `change`, whose `detail` is the id of the message; `ended` follows a message that was heard to its end.
 */
export class Player extends EventTarget {
  /** @type {Message | null} */
  #message = null;
  /** Where each message was left, in milliseconds. @type {Map<string, number>} */
  #positions = new Map();
  #renewed = false;
  #failed = false;
  #frame = 0;
  #speed = 1;
  #audio;
  #loudness;
  #freshUrl;

  /**
   * @param {HTMLAudioElement} audio
   * @param {(messageId: string) => Promise<string>} freshUrl  renews a signed address that is over
   */
  constructor(audio, freshUrl) {
    super();
    this.#audio = audio;
    this.#loudness = new Loudness(audio);
    this.#freshUrl = freshUrl;
    for (const type of ["play", "playing", "pause", "waiting", "seeked", "loadedmetadata"]) {
      audio.addEventListener(type, () => this.#changed());
    }
    audio.addEventListener("error", () => this.#onError());
    audio.addEventListener("ended", () => this.#onEnded());
  }

  get speed() {
    return this.#speed;
  }

  /**
   * What the controls of one message show.
   * @param {Message} message
   */
  state(message) {
    const mine = this.#message?.id === message.id;
    const total = message.duration_ms ?? 0;
    const position = mine ? this.#audio.currentTime * 1000 : (this.#positions.get(message.id) ?? 0);
    return {
      active: mine,
      playing: mine && !this.#audio.paused,
      loading: mine && !this.#audio.paused && this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA,
      failed: mine && this.#failed,
      position_ms: Math.min(total, Math.max(0, position)),
      duration_ms: total,
    };
  }

  /** @param {Message} message */
  toggle(message) {
    if (this.state(message).playing) this.pause();
    else this.play(message);
  }

  /** @param {Message} message */
  play(message) {
    if (this.#message?.id !== message.id || this.#failed) this.#load(message);
    // Its gain may have been measured since it was loaded.
    this.#message = message;
    this.#start();
  }

  pause() {
    this.#audio.pause();
  }

  /**
   * @param {Message} message
   * @param {number} ms
   */
  seek(message, ms) {
    const to = Math.min(message.duration_ms ?? 0, Math.max(0, ms));
    if (this.#message?.id === message.id) this.#audio.currentTime = to / 1000;
    this.#positions.set(message.id, to);
    this.#changed(message.id);
  }

  nextSpeed() {
    this.#speed = SPEEDS[(SPEEDS.indexOf(this.#speed) + 1) % SPEEDS.length];
    this.#audio.playbackRate = this.#speed;
    this.#changed();
  }

  /** The message is gone, or the person. @param {string} [messageId] */
  stop(messageId) {
    if (messageId && this.#message?.id !== messageId) return;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#message = null;
  }

  /** @param {Message} message */
  #load(message) {
    const before = this.#message;
    if (before) this.#positions.set(before.id, this.#audio.ended ? 0 : this.#audio.currentTime * 1000);
    this.#audio.pause();
    this.#message = message;
    this.#renewed = false;
    this.#setSource(message.audio?.url ?? "");
    if (before) this.#changed(before.id);
  }

  /** @param {string} url */
  #setSource(url) {
    const message = /** @type {Message} */ (this.#message);
    const format = chooseFormat(message.audio?.formats ?? [], (type) => this.#audio.canPlayType(type));
    const address = new URL(url, location.href);
    if (format !== "ogg") address.searchParams.set("format", format);
    const at = this.#positions.get(message.id) ?? 0;
    this.#failed = false;
    this.#audio.src = address.href;
    // At the very end there is nothing to go on with.
    this.#audio.currentTime = at < (message.duration_ms ?? 0) - 100 ? at / 1000 : 0;
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = this.#speed;
  }

  #start() {
    this.#loudness.set(this.#message?.gain_db);
    // A refused or interrupted start shows as an `error` or `pause` event.
    this.#audio.play().catch(() => this.#changed());
  }

  async #onError() {
    const message = this.#message;
    if (!message || !this.#audio.getAttribute("src")) return;
    // Most often the signed address is simply too old: ask for a new one, once.
    if (!this.#renewed) {
      this.#renewed = true;
      this.#positions.set(message.id, this.#audio.currentTime * 1000 || (this.#positions.get(message.id) ?? 0));
      const url = await this.#freshUrl(message.id).catch(() => null);
      if (this.#message?.id !== message.id) return;
      if (url) {
        this.#setSource(url);
        return this.#start();
      }
    }
    this.#failed = true;
    this.#changed();
  }

  #onEnded() {
    const message = this.#message;
    if (!message) return;
    this.#positions.set(message.id, 0);
    this.#audio.currentTime = 0;
    this.#changed();
    this.dispatchEvent(new CustomEvent("ended", { detail: message }));
  }

  /** @param {string} [id] */
  #changed(id = this.#message?.id) {
    if (id) this.dispatchEvent(new CustomEvent("change", { detail: id }));
    cancelAnimationFrame(this.#frame);
    if (!this.#audio.paused) this.#frame = requestAnimationFrame(() => this.#changed());
  }
}
