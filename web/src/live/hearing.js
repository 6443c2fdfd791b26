import { LiveListener, canHearPackets } from "./listener.js";

/** @typedef {import("../types.js").Message} Message */

/** With less than this left, the rest is heard live and not from the stored message. */
const TAIL_MS = 1_500;

/**
 * What one hears while it is spoken, one recording at a time. When it is a message, the player goes on with it at the same
 * place. Event `change`.
 */
export class Hearing extends EventTarget {
  /** What is heard. @type {string | null} */
  current = null;
  /** @type {LiveListener | HTMLAudioElement | null} */
  #sound = null;
  #means;

  /**
   * @param {{ token: () => string, url: (id: string) => Promise<string>, ready: (message: Message, position_ms: number) => void }} means
   *   `ready`: it is stored now, and was heard up to here
   */
  constructor(means) {
    super();
    this.#means = means;
  }

  /** To be called while a click is handled. @param {string} messageId @param {"start" | "edge"} from */
  listen(messageId, from) {
    this.stop();
    this.current = messageId;
    const sound = canHearPackets() ? new LiveListener(messageId, from, this.#means.token) : this.#growing(messageId);
    this.#sound = sound;
    const over = () => this.#sound === sound && this.stop();
    for (const type of ["end", "ended", "error"]) sound.addEventListener(type, over);
    this.#tell();
  }

  stop() {
    const sound = this.#sound;
    this.#sound = null;
    this.current = null;
    if (sound instanceof LiveListener) sound.stop();
    else sound?.pause();
    if (sound) this.#tell();
  }

  /** A newer state of a message. @param {Message} message */
  saw(message) {
    if (message.id !== this.current || message.state === "recording") return;
    const at = this.#sound instanceof LiveListener ? this.#sound.position_ms : (this.#sound?.currentTime ?? 0) * 1000;
    if (message.state !== "ready") return this.stop();
    if ((message.duration_ms ?? 0) - at < TAIL_MS) return;
    this.stop();
    this.#means.ready(message, at);
  }

  /** Where WebCodecs is missing: the file that grows, from its start. @param {string} messageId */
  #growing(messageId) {
    const audio = new Audio();
    this.#means.url(messageId).then(
      (url) => {
        audio.src = url;
        return audio.play();
      },
      () => this.stop(),
    ).catch(() => this.stop());
    return audio;
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
