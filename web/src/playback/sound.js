import { ApiError } from "../api.js";
import { backoff } from "../backoff.js";
import { chooseFormat } from "./format.js";
import { END_MS } from "./resume.js";

/** @typedef {import("../types.js").Message} Message */

/** Waiting for data this long without an error means a connection that died without a word. */
const STALLED_MS = 10_000;
const ANSWER_MS = 15_000;
/** A fresh address that fails so often without a sound between is not the network's fault. */
const MOST_RENEWALS = 2;

/**
 * The one audio element of the page. Renews an address that has run out; without a network plays what is there, waits, and goes
 * on by itself. Events: `playing` (sound begins), `progress` (about four times a second), `pause` (by anybody), `ended`, `change`
 * (of what it shows).
 */
export class Sound extends EventTarget {
  #audio;
  #freshUrl;
  /** @type {Message | null} */
  #message = null;
  /** What the person wants. */
  #wanted = false;
  #rate = 1;
  /** Where to go on when the source is ready; null: it is there. @type {number | null} */
  #startMs = null;
  #renewals = 0;
  /** @type {AbortController | null} While a new address is sought. */
  #recovery = null;
  #failed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stalled;

  /**
   * @param {HTMLAudioElement} audio
   * @param {(messageId: string) => Promise<string>} freshUrl
   */
  constructor(audio, freshUrl) {
    super();
    this.#audio = audio;
    this.#freshUrl = freshUrl;
    const on = (/** @type {string} */ type, /** @type {() => void} */ run) => audio.addEventListener(type, run);
    on("loadedmetadata", () => this.#place());
    on("playing", () => this.#onPlaying());
    on("timeupdate", () => this.#onTime());
    on("pause", () => this.#onPause());
    on("ended", () => this.#onEnded());
    on("waiting", () => this.#onWaiting());
    // More of it came: slow is not stalled.
    on("progress", () => this.loading && !this.#recovery && this.#watch());
    on("seeked", () => this.#tell("change"));
    on("error", () => audio.getAttribute("src") && this.#recover());
    addEventListener("online", () => this.loading && this.#recover());
  }

  /** Until it is there, where it will begin. */
  get positionMs() {
    return Math.round(this.#startMs ?? this.#audio.currentTime * 1000);
  }

  get wanted() {
    return this.#wanted;
  }

  get failed() {
    return this.#failed;
  }

  get loading() {
    return this.#wanted && !this.#failed && (this.#recovery !== null || this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA);
  }

  /** To be called while a click is handled: some browsers let a page play later only what was played then. */
  unlock() {
    if (this.#audio.getAttribute("src")) return;
    this.#audio.play().catch(() => {});
    this.#audio.pause();
  }

  /**
   * @param {Message} message
   * @param {number} ms  where to begin
   */
  load(message, ms) {
    this.stop();
    this.#message = message;
    this.#setSource(message.audio?.url ?? "", ms);
  }

  play() {
    this.#wanted = true;
    this.#start();
    this.#tell("change");
  }

  pause() {
    this.#wanted = false;
    clearTimeout(this.#stalled);
    this.#audio.pause();
    // The element says so later, and not at all while it waits for a new address.
    this.#tell("pause");
    this.#tell("change");
  }

  /** @param {number} ms */
  seek(ms) {
    if (this.#startMs !== null) this.#startMs = ms;
    else this.#audio.currentTime = ms / 1000;
    this.#tell("change");
  }

  /** @param {number} rate */
  setRate(rate) {
    this.#rate = rate;
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = rate;
  }

  /** Lets go of the message. */
  stop() {
    clearTimeout(this.#stalled);
    this.#recovery?.abort();
    this.#recovery = null;
    this.#message = null;
    this.#wanted = false;
    this.#failed = false;
    this.#renewals = 0;
    this.#startMs = null;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
  }

  /**
   * @param {string} url
   * @param {number} ms
   */
  #setSource(url, ms) {
    const audio = this.#audio;
    const format = chooseFormat(this.#message?.audio?.formats ?? [], (type) => audio.canPlayType(type));
    const address = new URL(url, location.href);
    if (format !== "ogg") address.searchParams.set("format", format);
    this.#startMs = ms;
    audio.preservesPitch = true;
    audio.src = address.href;
    audio.defaultPlaybackRate = audio.playbackRate = this.#rate;
  }

  /** Safari forgets a position that is set before the metadata is there. */
  #place() {
    if (this.#startMs) this.#audio.currentTime = this.#startMs / 1000;
    this.#startMs = null;
    this.#tell("change");
  }

  #start() {
    // A refused start (no click yet) shows as a pause.
    this.#audio.play().catch((error) => error.name === "NotAllowedError" && this.#refused());
  }

  #refused() {
    this.#wanted = false;
    this.#tell("pause");
    this.#tell("change");
  }

  #onPlaying() {
    clearTimeout(this.#stalled);
    if (!this.#wanted || this.#audio.paused) return;
    this.#tell("playing");
    this.#tell("change");
  }

  #onTime() {
    if (this.#startMs !== null || !this.#wanted || this.#audio.paused || this.#audio.seeking) return;
    this.#renewals = 0;
    this.#tell("progress");
  }

  #onPause() {
    // At the end, and while a new source is put in, nobody has paused.
    if (!this.#audio.paused || this.#audio.ended || this.#recovery) return;
    clearTimeout(this.#stalled);
    this.#wanted = false;
    this.#tell("pause");
    this.#tell("change");
  }

  #onEnded() {
    this.#wanted = false;
    clearTimeout(this.#stalled);
    this.#tell("ended");
    this.#tell("change");
  }

  #onWaiting() {
    if (this.#wanted) this.#watch();
    this.#tell("change");
  }

  #watch() {
    clearTimeout(this.#stalled);
    this.#stalled = setTimeout(() => this.loading && this.#recover(), STALLED_MS);
  }

  /** Asks for a new address until there is one, and goes on with it at the same place. */
  async #recover() {
    const message = this.#message;
    if (!message) return;
    this.#recovery?.abort();
    const recovery = new AbortController();
    this.#recovery = recovery;
    clearTimeout(this.#stalled);
    // From now on a seek changes where the new source begins.
    this.#startMs = this.positionMs;
    this.#tell("change");
    for (let attempt = 0; !recovery.signal.aborted; attempt += 1) {
      const answer = await within(ANSWER_MS, this.#freshUrl(message.id)).catch((/** @type {unknown} */ error) => error);
      if (recovery.signal.aborted) return;
      if (typeof answer === "string") return this.#goOn(answer);
      if (!(answer instanceof ApiError) || !answer.passing) return this.#fail();
      this.#renewals = 0;
      await new Promise((resolve) => setTimeout(resolve, backoff(attempt, Math.random, { most_ms: 5000 })));
    }
  }

  /** @param {string} url */
  #goOn(url) {
    this.#renewals += 1;
    if (this.#renewals > MOST_RENEWALS) return this.#fail();
    this.#setSource(url, this.positionMs);
    this.#recovery = null;
    if (this.#wanted) this.#start();
    this.#tell("change");
  }

  #fail() {
    this.#recovery = null;
    this.#failed = true;
    this.#wanted = false;
    this.#tell("pause");
    this.#tell("change");
  }

  /** @param {string} type */
  #tell(type) {
    this.dispatchEvent(new CustomEvent(type));
  }
}

/** Close enough to the end for nothing to be left. @param {number} ms @param {number} durationMs */
export const isEnd = (ms, durationMs) => ms >= durationMs - END_MS;

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
function within(ms, work) {
  const late = new Promise((/** @type {(value: never) => void} */ _, reject) => setTimeout(() => reject(new ApiError("network", 0)), ms));
  return Promise.race([work, late]);
}
