import { h, fill, svg } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { SPEEDS } from "../playback/settings.js";
import { barPath, forDisplay, heardMask } from "../waveform.js";
import { continueOffer } from "./continue-offer.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Message} Message */

const BARS = 46;
const HEIGHT = 32;
const STEP_MS = 2000;

/** Play button, waveform to seek on with its heard part coloured, time, speed, and where another device stopped. */
export class VxPlayer extends VxElement {
  /** @type {Message} */
  // @ts-expect-error set before the element is connected
  message;
  /** Shown while the server's waveform is not there. @type {number[] | null} */
  placeholder = null;

  #button = h("button", { type: "button", class: "play", onclick: () => this.client.player.toggle(this.message) });
  #track = h("div", { class: "track", role: "slider", tabindex: "0", "aria-valuemin": "0" });
  #time = h("span", { class: "time" });
  #dot = h("span", { class: "unplayed", hidden: true });
  #speed = h("select", { class: "speed", onchange: () => this.client.player.setSpeed(Number(this.#speed.value)) });
  #silence = h("button", { type: "button", class: "silence", onclick: () => this.client.player.toggleSilence() });
  #offer = h("div", { class: "offer", role: "status" });
  #heard = wave("wave heard", "");
  #passed = wave("wave passed", "");
  #shown = "";
  #offered = "";
  /** Where the pointer holds the playhead, until it lets go. @type {number | null} */
  #held = null;

  /** @param {AbortSignal} scope */
  start(scope) {
    const under = h("div", { class: "under" }, this.#dot, this.#time, this.#speed, this.#silence);
    fill(this, this.#button, h("div", { class: "sound" }, this.#track, under), this.#offer);
    fill(this.#speed, ...SPEEDS.map((speed) => h("option", { value: speed }, t("player.speed", { speed }))));
    this.#speed.setAttribute("aria-label", t("player.speed_label"));
    this.#silence.textContent = t("player.silence");
    this.#track.setAttribute("aria-label", t("player.position"));
    this.#track.addEventListener("keydown", (event) => this.#key(event), { signal: scope });
    this.#track.addEventListener("pointerdown", (event) => this.#drag(event), { signal: scope });
    on(this.client.player, "change", scope, (id) => id === this.message.id && this.#render());
    this.update(this.message);
  }

  /** A newer state of the same message. @param {Message} message */
  update(message) {
    const redraw = message.waveform !== this.message.waveform || !this.#track.hasChildNodes();
    this.message = message;
    if (redraw) this.#draw();
    this.client.positions.look(message);
    this.#shown = "";
    this.#render();
  }

  #draw() {
    const waveform = forDisplay(this.message.waveform ?? this.placeholder);
    const d = barPath(waveform, BARS, HEIGHT);
    this.toggleAttribute("data-flat", waveform === null);
    this.#heard = wave("wave heard", d);
    this.#passed = wave("wave passed", d);
    fill(this.#track, wave("wave", d), this.#heard, this.#passed, h("span", { class: "knob" }));
  }

  #render() {
    const { player } = this.client;
    const state = player.state(this.message);
    const { active, duration_ms } = state;
    const position_ms = this.#held ?? state.position_ms;
    this.style.setProperty("--progress", String(duration_ms > 0 ? position_ms / duration_ms : 0));
    this.#track.setAttribute("aria-valuemax", String(Math.round(duration_ms / 1000)));
    this.#track.setAttribute("aria-valuenow", String(Math.round(position_ms / 1000)));
    this.#track.setAttribute("aria-valuetext", t("player.of", { position: duration(position_ms), total: duration(duration_ms) }));
    this.#time.textContent = state.failed ? t("player.failed") : duration(active || position_ms > 0 ? position_ms : duration_ms);
    const mask = heardMask(state.heard, duration_ms);
    // By its older name too, which browsers before 2024 know.
    for (const { style } of [this.#heard, this.#passed]) style.maskImage = style.webkitMaskImage = mask;
    this.#renderOffer(state.offer);
    // The controls keep their focus, so they are changed only when they say something else.
    const heard = state.played ? "all" : state.heard.length > 0 || position_ms > 0 ? "some" : "none";
    const shown = JSON.stringify([state.playing, state.loading, state.failed, active, heard, player.speed, player.skipsSilence, state.skippable]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#renderControls(state, heard);
  }

  /**
   * @param {ReturnType<import("../playback/player.js").Player["state"]>} state
   * @param {"none" | "some" | "all"} heard
   */
  #renderControls({ active, playing, loading, failed, skippable }, heard) {
    const { player, store } = this.client;
    const { sender } = this.message;
    this.toggleAttribute("data-active", active);
    this.toggleAttribute("data-loading", loading);
    this.toggleAttribute("data-failed", failed);
    this.dataset.heard = heard;
    const own = sender.id === store.me;
    const play = own || heard === "all" ? "player.play" : heard === "some" ? "player.play_partly" : "player.play_unplayed";
    fill(this.#button, icon(playing ? "pause" : "play"));
    this.#button.setAttribute("aria-label", t(playing ? "player.pause" : play, { name: sender.display_name }));
    this.#dot.hidden = own || heard === "all";
    this.#speed.hidden = !active;
    this.#speed.value = String(player.speed);
    this.#silence.hidden = !active || !skippable;
    this.#silence.setAttribute("aria-pressed", String(player.skipsSilence));
  }

  /** @param {import("../playback/resume.js").Offer | null} offer */
  async #renderOffer(offer) {
    const shown = JSON.stringify(offer);
    if (shown === this.#offered) return;
    this.#offered = shown;
    const device = offer && (await this.client.deviceName(offer.device_id));
    if (shown !== this.#offered) return;
    // The buttons go with the offer, and the focus must not go with them.
    const decided = () => this.#button.focus();
    fill(this.#offer, offer && continueOffer(this.client.player, this.message, offer.position_ms, device, decided));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { player } = this.client;
    const { position_ms, duration_ms } = player.state(this.message);
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " || event.key === "Enter") player.toggle(this.message);
    else if (event.key === "<" || event.key === ">") player.stepSpeed(event.key === ">" ? 1 : -1);
    else if (event.key in targets) player.seek(this.message, targets[event.key]);
    else return;
    event.preventDefault();
  }

  /** The playhead follows the pointer; where it lets go, there it is. @param {PointerEvent} down */
  #drag(down) {
    if (down.button !== 0) return;
    const follow = (/** @type {PointerEvent} */ { clientX }) => {
      const { left, width } = this.#track.getBoundingClientRect();
      this.#held = Math.min(1, Math.max(0, (clientX - left) / width)) * (this.message.duration_ms ?? 0);
      this.#render();
    };
    const end = new AbortController();
    const letGo = (/** @type {boolean} */ seek) => {
      end.abort();
      const to = this.#held;
      this.#held = null;
      if (seek && to !== null) this.client.player.seek(this.message, to);
      this.#render();
    };
    this.#track.setPointerCapture(down.pointerId);
    this.#track.addEventListener("pointermove", follow, { signal: end.signal });
    this.#track.addEventListener("pointerup", () => letGo(true), { signal: end.signal });
    this.#track.addEventListener("pointercancel", () => letGo(false), { signal: end.signal });
    follow(down);
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
