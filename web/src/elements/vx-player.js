import { h, fill, svg } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { barPath, forDisplay } from "../waveform.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Message} Message */

const BARS = 46;
const HEIGHT = 32;
const STEP_MS = 2000;

/** Play button, waveform to seek on, time and speed of one message. */
export class VxPlayer extends VxElement {
  /** @type {Message} */
  // @ts-expect-error set before the element is connected
  message;
  /** Shown while the server's waveform is not there. @type {number[] | null} */
  placeholder = null;

  #button = h("button", { type: "button", class: "play", onclick: () => this.client.player.toggle(this.message) });
  #track = h("div", { class: "track", role: "slider", tabindex: "0", "aria-valuemin": "0" });
  #time = h("span", { class: "time" });
  #speed = h("button", { type: "button", class: "speed", onclick: () => this.client.player.nextSpeed() });
  #shown = "";

  /** @param {AbortSignal} scope */
  start(scope) {
    fill(this, this.#button, h("div", { class: "sound" }, this.#track, h("div", { class: "under" }, this.#time, this.#speed)));
    this.#track.addEventListener("keydown", (event) => this.#key(event), { signal: scope });
    this.#track.addEventListener("pointerdown", (event) => this.#drag(event), { signal: scope });
    on(this.client.player, "change", scope, (id) => id === this.message.id && this.#render());
    this.update(this.message);
  }

  /** A newer state of the same message. @param {Message} message */
  update(message) {
    this.message = message;
    const waveform = forDisplay(message.waveform ?? this.placeholder);
    const d = barPath(waveform, BARS, HEIGHT);
    this.toggleAttribute("data-flat", waveform === null);
    fill(this.#track, wave("wave", d), wave("wave played", d), h("span", { class: "knob" }));
    this.#track.setAttribute("aria-label", t("player.position"));
    this.#shown = "";
    this.#render();
  }

  #render() {
    const { player } = this.client;
    const { active, playing, loading, failed, position_ms, duration_ms } = player.state(this.message);
    const share = duration_ms > 0 ? position_ms / duration_ms : 0;
    this.style.setProperty("--progress", String(share));
    this.#track.setAttribute("aria-valuemax", String(Math.round(duration_ms / 1000)));
    this.#track.setAttribute("aria-valuenow", String(Math.round(position_ms / 1000)));
    this.#track.setAttribute("aria-valuetext", t("player.of", { position: duration(position_ms), total: duration(duration_ms) }));
    this.#time.textContent = failed ? t("player.failed") : duration(active || position_ms > 0 ? position_ms : duration_ms);
    // The button keeps its focus, so it is changed only when it says something else.
    const shown = `${playing} ${loading} ${player.speed} ${failed} ${active}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.toggleAttribute("data-active", active);
    this.toggleAttribute("data-loading", loading);
    this.toggleAttribute("data-failed", failed);
    fill(this.#button, icon(playing ? "pause" : "play"));
    this.#button.setAttribute("aria-label", t(playing ? "player.pause" : "player.play", { name: this.message.sender.display_name }));
    this.#speed.hidden = !active;
    this.#speed.textContent = t("player.speed", { speed: player.speed });
    this.#speed.setAttribute("aria-label", t("player.speed_label", { speed: player.speed }));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { position_ms, duration_ms } = this.client.player.state(this.message);
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: position_ms - STEP_MS,
      ArrowDown: position_ms - STEP_MS,
      ArrowRight: position_ms + STEP_MS,
      ArrowUp: position_ms + STEP_MS,
      PageDown: position_ms - duration_ms / 10,
      PageUp: position_ms + duration_ms / 10,
      Home: 0,
      End: duration_ms,
    };
    if (event.key === " " || event.key === "Enter") this.client.player.toggle(this.message);
    else if (event.key in targets) this.client.player.seek(this.message, targets[event.key]);
    else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    if (down.button !== 0) return;
    const seek = (/** @type {PointerEvent} */ { clientX }) => {
      const { left, width } = this.#track.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (clientX - left) / width));
      this.client.player.seek(this.message, share * (this.message.duration_ms ?? 0));
    };
    const end = new AbortController();
    this.#track.setPointerCapture(down.pointerId);
    this.#track.addEventListener("pointermove", seek, { signal: end.signal });
    for (const type of ["pointerup", "pointercancel"]) {
      this.#track.addEventListener(type, () => end.abort(), { signal: end.signal });
    }
    seek(down);
  }
}

/**
 * @param {string} className
 * @param {string} d
 */
function wave(className, d) {
  const box = { viewBox: `0 0 ${BARS} ${HEIGHT}`, preserveAspectRatio: "none", class: className, "aria-hidden": "true" };
  return svg("svg", box, svg("path", { d }));
}
