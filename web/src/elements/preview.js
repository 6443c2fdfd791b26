import { oggOf } from "../live/ogg.js";
import { PACKETS_TYPE } from "../live/recordings.js";

/** Plays what is not sent yet; one at a time. */
export class Preview {
  /** What plays. @type {string | null} */
  current = null;
  #audio = new Audio();
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    for (const type of ["ended", "error"]) this.#audio.addEventListener(type, () => this.stop());
  }

  /** @param {string} id @param {Blob | Promise<string>} sound  recorded here, or where it is at the server */
  async toggle(id, sound) {
    const same = this.current === id;
    this.stop();
    if (same) return;
    this.current = id;
    this.#changed();
    try {
      const url = sound instanceof Blob ? URL.createObjectURL(sound.type === PACKETS_TYPE ? await oggOf(sound) : sound) : await sound;
      if (this.current !== id) return;
      this.#audio.src = url;
      await this.#audio.play();
    } catch {
      if (this.current === id) this.stop();
    }
  }

  stop() {
    if (this.current === null) return;
    this.current = null;
    this.#audio.pause();
    if (this.#audio.src.startsWith("blob:")) URL.revokeObjectURL(this.#audio.src);
    this.#changed();
  }
}
