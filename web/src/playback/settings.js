/** What a person may choose; 1 is as it was spoken. */
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** How one person likes to listen in this browser. Without storage it lasts as long as the page. */
export class PlaybackSettings {
  #storage;
  #key = "";
  speed = 1;
  skipsSilence = false;

  /** @param {Pick<Storage, "getItem" | "setItem">} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** @param {string} userId */
  load(userId) {
    this.#key = `voxpost.playback.${userId}`;
    const { speed, skips_silence } = this.#read();
    this.speed = SPEEDS.includes(speed) ? speed : 1;
    this.skipsSilence = skips_silence === true;
  }

  /** @param {{ speed?: number, skipsSilence?: boolean }} change */
  set(change) {
    Object.assign(this, change);
    try {
      this.#storage.setItem(this.#key, JSON.stringify({ speed: this.speed, skips_silence: this.skipsSilence }));
    } catch {
      // A full disk or a private window: it holds for this page.
    }
  }

  /** @returns {any} */
  #read() {
    try {
      return JSON.parse(this.#storage.getItem(this.#key) ?? "null") ?? {};
    } catch {
      return {};
    }
  }
}
