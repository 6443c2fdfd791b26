/** @typedef {import("../types.js").Message} Message */
/**
 * What the keys of a headset and the lock screen ask for.
 * @typedef {{ play: () => void, pause: () => void, stop: () => void, seekTo: (ms: number) => void, seekBy: (ms: number) => void, next: () => void,
 *   previous: () => void }} Controls
 */

const STEP_MS = 10_000;

/** Shows the message that plays on the lock screen and takes the keys of headsets, where the browser can. */
export class MediaSessionBridge {
  #session = globalThis.navigator?.mediaSession ?? null;
  #shown = "";

  /** @param {Controls} controls */
  constructor(controls) {
    const { play, pause, stop, seekTo, seekBy, next, previous } = controls;
    this.#handle("play", play);
    this.#handle("pause", pause);
    this.#handle("stop", stop);
    this.#handle("nexttrack", next);
    this.#handle("previoustrack", previous);
    this.#handle("seekbackward", ({ seekOffset }) => seekBy(-1000 * (seekOffset ?? STEP_MS / 1000)));
    this.#handle("seekforward", ({ seekOffset }) => seekBy(1000 * (seekOffset ?? STEP_MS / 1000)));
    this.#handle("seekto", ({ seekTime }) => seekTime !== undefined && seekTo(seekTime * 1000));
  }

  /**
   * @param {{ id: string, title: string, artist: string } | null} what  null: nothing
   * @param {{ playing: boolean, position_ms: number, duration_ms: number, speed: number }} state
   */
  show(what, { playing, position_ms, duration_ms, speed }) {
    const session = this.#session;
    if (!session) return;
    session.playbackState = what ? (playing ? "playing" : "paused") : "none";
    if ((what?.id ?? "") !== this.#shown) {
      this.#shown = what?.id ?? "";
      const artwork = [{ src: new URL("/icon.svg", location.href).href, type: "image/svg+xml", sizes: "any" }];
      session.metadata = what ? new MediaMetadata({ title: what.title, artist: what.artist, artwork }) : null;
    }
    if (!what || duration_ms <= 0) return session.setPositionState?.();
    session.setPositionState?.({ duration: duration_ms / 1000, position: Math.min(position_ms, duration_ms) / 1000, playbackRate: speed });
  }

  /**
   * @param {MediaSessionAction} action
   * @param {(details: MediaSessionActionDetails) => void} run
   */
  #handle(action, run) {
    try {
      this.#session?.setActionHandler(action, run);
    } catch {
      // A browser that does not know this key.
    }
  }
}
