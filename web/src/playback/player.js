import { chime } from "./chime.js";
import { merge } from "./heard.js";
import { MediaSessionBridge } from "./media-session.js";
import { SPEEDS } from "./settings.js";
import { nextSilence, silences, skipFrom } from "./silence.js";
import { isEnd } from "./sound.js";

/** @typedef {import("./positions.js").Positions} Positions */
/** @typedef {import("../types.js").Message} Message */

/** The speeds that one press goes through; the others are chosen by name or key. */
const USUAL_SPEEDS = [1, 1.5, 2];

/**
 * What a player needs from outside.
 * @typedef {object} Parts
 * @property {import("./sound.js").Sound} sound
 * @property {import("../loudness.js").Loudness} loudness
 * @property {Positions} positions
 * @property {import("./tabs.js").Tabs} tabs
 * @property {import("./settings.js").PlaybackSettings} settings
 * @property {(message: Message) => { title: string, artist: string }} describe   for the lock screen
 * @property {(message: Message) => Promise<Message | null>} next   what plays by itself afterwards
 * @property {(message: Message, step: 1 | -1) => Message | null} neighbour
 */

/**
 * Plays one message at a time and sees to it that its position is kept and told. Events: `change`, whose `detail` is the id of
 * the message whose controls show something else now (also with every frame while it plays), and `current` (another message,
 * or none).
 */
export class Player extends EventTarget {
  /** The message in the sound element, or on its way there. @type {Message | null} */
  #message = null;
  /** Its position is decided, and the sound is loaded. */
  #ready = false;
  /** Sound was heard of it since the last pause: the positions know that it plays. */
  #sounding = false;
  /** The playhead was dragged to the end: coming there is not having heard it. */
  #dragged = false;
  /** @type {import("./heard.js").Interval[]} */
  #silences = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #skipTimer;
  #frame = 0;
  #parts;
  #session;

  /** @param {Parts} parts */
  constructor(parts) {
    super();
    this.#parts = parts;
    const { sound, positions, tabs } = parts;
    const on = (/** @type {string} */ type, /** @type {() => void} */ run) => sound.addEventListener(type, run);
    on("playing", () => this.#onPlaying());
    on("progress", () => this.#onProgress());
    on("pause", () => this.#onPause());
    on("ended", () => this.#onEnded());
    on("change", () => this.#changed());
    positions.addEventListener("change", (event) => this.#changed(/** @type {CustomEvent} */ (event).detail));
    positions.addEventListener("moved", (event) => this.#onMoved(/** @type {CustomEvent} */ (event).detail));
    positions.addEventListener("lost", (event) => /** @type {CustomEvent} */ (event).detail === this.#message?.id && this.stop());
    tabs.onPlaying = () => this.pause();
    tabs.onYield = (id) => this.#yield(id);
    tabs.onAnswer = (id, answer) => positions.learn(id, answer);
    this.#session = new MediaSessionBridge({
      play: () => this.#message && this.play(this.#message),
      pause: () => this.pause(),
      stop: () => this.stop(),
      seekTo: (ms) => this.#message && this.seek(this.#message, ms),
      seekBy: (ms) => this.#message && this.seek(this.#message, this.state(this.#message).position_ms + ms),
      next: () => this.#step(1),
      previous: () => this.#step(-1),
    });
  }

  /** The message that plays or was paused last; null: none. */
  get current() {
    return this.#message;
  }

  get speed() {
    return this.#parts.settings.speed;
  }

  get skipsSilence() {
    return this.#parts.settings.skipsSilence;
  }

  /**
   * What the controls of one message show.
   * @param {Message} message
   */
  state(message) {
    const { sound, positions } = this.#parts;
    const mine = this.#message?.id === message.id;
    const total = message.duration_ms ?? 0;
    const view = positions.view(message);
    const position = mine && this.#ready ? sound.positionMs : view.position_ms;
    // What was heard to its end begins again from the start.
    const over = view.played && isEnd(position, total) && !(mine && (this.#sounding || this.#dragged));
    // What was heard in this moment is told to the positions four times a second only.
    const ahead = this.#sounding && mine && position > view.position_ms && position - view.position_ms < 2000 * this.speed;
    return {
      active: mine,
      playing: mine && (sound.wanted || !this.#ready),
      loading: mine && (sound.loading || !this.#ready),
      failed: mine && sound.failed,
      over,
      position_ms: over ? 0 : Math.min(total, Math.max(0, position)),
      duration_ms: total,
      heard: ahead ? merge(view.heard, [[view.position_ms, position]]) : view.heard,
      played: view.played,
      offer: view.offer,
      skippable: silences(message.speech, total).length > 0,
    };
  }

  /** @param {Message} message */
  toggle(message) {
    if (this.state(message).playing) this.pause();
    else this.play(message);
  }

  /** @param {Message} message */
  async play(message) {
    const { sound, loudness, positions, tabs } = this.#parts;
    // Now, while the click is handled: later some browsers no longer let a page make a sound.
    sound.unlock();
    loudness.wake();
    tabs.playing();
    if (this.#message?.id === message.id && this.#ready && !sound.failed) {
      this.#message = message;
      return this.#goOn();
    }
    this.#leave();
    this.#message = message;
    this.#changed();
    this.#tellCurrent();
    const at = await positions.begin(message);
    if (this.#message?.id !== message.id || this.#ready) return;
    if (at === null) return this.stop();
    this.#ready = true;
    this.#silences = silences(message.speech, message.duration_ms ?? 0);
    sound.load(message, at);
    this.#start();
  }

  pause() {
    if (!this.#ready) return this.stop();
    this.#parts.sound.pause();
  }

  /**
   * @param {Message} message
   * @param {number} ms
   */
  async seek(message, ms) {
    const { sound, positions } = this.#parts;
    const total = message.duration_ms ?? 0;
    const to = Math.round(Math.min(total, Math.max(0, ms)));
    const mine = this.#message?.id === message.id && this.#ready;
    if (mine) {
      this.#dragged = isEnd(to, total);
      if (this.#sounding) positions.handle(message.id, { action: "progress", position_ms: sound.positionMs });
      sound.seek(to);
    } else if (!(await positions.open(message))) return;
    positions.handle(message.id, { action: "seek", position_ms: to });
    this.#planSkip();
    this.#changed(message.id);
  }

  /** @param {number} speed  one of SPEEDS */
  setSpeed(speed) {
    const { sound, settings, positions } = this.#parts;
    if (!SPEEDS.includes(speed)) return;
    if (this.#message && this.#sounding) positions.handle(this.#message.id, { action: "progress", position_ms: sound.positionMs });
    settings.set({ speed });
    sound.setRate(speed);
    if (this.#message) positions.handle(this.#message.id, { action: "speed", speed });
    this.#planSkip();
    this.#changed();
  }

  /** Through the usual ones. */
  nextSpeed() {
    this.setSpeed(USUAL_SPEEDS.find((speed) => speed > this.speed) ?? USUAL_SPEEDS[0]);
  }

  /** One step up or down through all of them. @param {1 | -1} step */
  stepSpeed(step) {
    this.setSpeed(SPEEDS[SPEEDS.indexOf(this.speed) + step]);
  }

  toggleSilence() {
    this.#parts.settings.set({ skipsSilence: !this.skipsSilence });
    this.#planSkip();
    this.#changed();
  }

  /** Goes on where the other device was. @param {Message} message */
  async acceptOffer(message) {
    const { positions } = this.#parts;
    const { offer } = positions.view(message);
    if (!offer) return;
    positions.dismiss(message.id);
    await this.seek(message, offer.position_ms);
    this.play(message);
  }

  /** @param {Message} message */
  dismissOffer(message) {
    this.#parts.positions.dismiss(message.id);
  }

  /** The page goes into the background, perhaps for ever. */
  hide() {
    const { sound, positions } = this.#parts;
    if (this.#message && this.#sounding) positions.handle(this.#message.id, { action: "progress", position_ms: sound.positionMs });
    positions.hide();
  }

  /** Lets go of the message, or of that one only. @param {string} [messageId] */
  stop(messageId) {
    const before = this.#message;
    if (!before || (messageId && before.id !== messageId)) return;
    this.#leave();
    this.#tellCurrent();
    this.#changed(before.id);
  }

  /** A newer state of the message that plays: its gain and its silences may have been measured meanwhile. @param {Message} message */
  refresh(message) {
    if (this.#message?.id !== message.id) return;
    this.#message = message;
    this.#silences = silences(message.speech, message.duration_ms ?? 0);
    if (this.#sounding) this.#parts.loudness.set(message.gain_db);
  }

  /** Tells the positions where it was left, before anything else gets into the sound element. */
  #leave() {
    const before = this.#message;
    if (!before) return;
    if (this.#sounding) this.#onPause();
    this.#message = null;
    this.#ready = false;
    this.#dragged = false;
    this.#parts.sound.stop();
    this.#changed(before.id);
  }

  /** The same message goes on, after a break perhaps. */
  async #goOn() {
    const { sound, positions } = this.#parts;
    const message = /** @type {Message} */ (this.#message);
    if (sound.wanted) return;
    const at = await positions.begin(message);
    if (at === null || this.#message?.id !== message.id || sound.wanted) return;
    if (Math.abs(at - sound.positionMs) > 1) sound.seek(at);
    this.#start();
  }

  #start() {
    const { sound, loudness, positions, settings } = this.#parts;
    const message = /** @type {Message} */ (this.#message);
    this.#dragged = false;
    loudness.set(message.gain_db);
    sound.setRate(settings.speed);
    positions.handle(message.id, { action: "speed", speed: settings.speed });
    sound.play();
    this.#changed();
  }

  #onPlaying() {
    if (!this.#message || !this.#ready) return;
    if (!this.#sounding) this.#parts.positions.handle(this.#message.id, { action: "play" });
    this.#sounding = true;
    this.#planSkip();
  }

  #onProgress() {
    if (!this.#message || !this.#sounding) return;
    this.#parts.positions.handle(this.#message.id, { action: "progress", position_ms: this.#parts.sound.positionMs });
    this.#skip();
  }

  #onPause() {
    clearTimeout(this.#skipTimer);
    if (!this.#message || !this.#sounding) return;
    this.#sounding = false;
    this.#parts.positions.handle(this.#message.id, { action: "pause", position_ms: this.#parts.sound.positionMs });
  }

  async #onEnded() {
    clearTimeout(this.#skipTimer);
    const message = this.#message;
    if (!message) return;
    const { positions, loudness } = this.#parts;
    const heard = this.#sounding && !this.#dragged;
    this.#sounding = false;
    positions.handle(message.id, heard ? { action: "end" } : { action: "pause", position_ms: message.duration_ms ?? 0 });
    this.#changed();
    if (!heard) return;
    const next = await this.#parts.next(message);
    if (!next || this.#message?.id !== message.id || this.#parts.sound.wanted) return;
    await chime(loudness.context);
    if (this.#message?.id === message.id && !this.#parts.sound.wanted) this.play(next);
  }

  /** Another device moved the playhead of a message that does not play here. @param {{ id: string, position_ms: number }} to */
  #onMoved({ id, position_ms }) {
    if (this.#message?.id === id && this.#ready) this.#parts.sound.seek(position_ms);
  }

  /** Another tab wants to play the message. @param {string} id */
  #yield(id) {
    if (this.#message?.id === id) this.stop();
    this.#parts.positions.yield(id);
  }

  /** @param {1 | -1} step */
  #step(step) {
    const next = this.#message && this.#parts.neighbour(this.#message, step);
    if (next) this.play(next);
  }

  #skip() {
    const { sound, positions } = this.#parts;
    const to = this.skipsSilence && this.#sounding ? skipFrom(this.#silences, sound.positionMs) : null;
    if (to === null || !this.#message) return this.#planSkip();
    positions.handle(this.#message.id, { action: "progress", position_ms: sound.positionMs });
    sound.seek(to);
  }

  /** Four times a second is too rough to meet the beginning of a silence. */
  #planSkip() {
    clearTimeout(this.#skipTimer);
    const { sound } = this.#parts;
    const next = this.skipsSilence && this.#sounding ? nextSilence(this.#silences, sound.positionMs) : null;
    if (next !== null) this.#skipTimer = setTimeout(() => this.#skip(), (next - sound.positionMs) / this.speed + 1);
  }

  /** @param {string} [id] */
  #changed(id = this.#message?.id) {
    if (id) this.dispatchEvent(new CustomEvent("change", { detail: id }));
    if (id === this.#message?.id) this.#showSession();
    cancelAnimationFrame(this.#frame);
    if (this.#sounding) this.#frame = requestAnimationFrame(() => this.#animate());
  }

  #animate() {
    if (!this.#message || !this.#sounding) return;
    this.dispatchEvent(new CustomEvent("change", { detail: this.#message.id }));
    this.#frame = requestAnimationFrame(() => this.#animate());
  }

  #showSession() {
    const message = this.#message;
    if (!message) return this.#session.show(null, { playing: false, position_ms: 0, duration_ms: 0, speed: 1 });
    this.#session.show({ id: message.id, ...this.#parts.describe(message) }, { ...this.state(message), speed: this.speed });
  }

  #tellCurrent() {
    this.#showSession();
    this.dispatchEvent(new CustomEvent("current", { detail: this.#message }));
  }
}
