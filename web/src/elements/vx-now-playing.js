import { h, fill } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Message} Message */

/** The message that plays on while another conversation is open. */
export class VxNowPlaying extends VxElement {
  #open = "";
  #button = h("button", { type: "button", class: "play", onclick: () => this.#toggle() });
  #name = h("span", { class: "name" });
  #time = h("span", { class: "time" });
  #link = h("a", { href: "#", title: t("player.open") }, this.#name, this.#time);
  #close = h("button", { type: "button", class: "quiet", "aria-label": t("player.close"), onclick: () => this.client.player.stop() }, icon("close"));
  #shown = "";

  /** @param {AbortSignal} scope */
  start(scope) {
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", t("player.now"));
    fill(this, this.#button, this.#link, this.#close);
    for (const type of ["change", "current"]) on(this.client.player, type, scope, () => this.#render());
    this.#render();
  }

  /** The conversation that is open. @param {string} conversationId */
  show(conversationId) {
    this.#open = conversationId;
    this.#render();
  }

  #toggle() {
    const { player } = this.client;
    if (player.current) player.toggle(player.current);
  }

  #render() {
    const { player } = this.client;
    const message = player.current;
    const state = message && player.state(message);
    this.hidden = !state || message.conversation_id === this.#open || (state.over && !state.playing);
    if (!state || this.hidden) return;
    const { playing, loading, position_ms, duration_ms } = state;
    this.style.setProperty("--progress", String(duration_ms > 0 ? position_ms / duration_ms : 0));
    this.#time.textContent = t("player.of", { position: duration(position_ms), total: duration(duration_ms) });
    const shown = JSON.stringify([message.id, playing, loading]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.toggleAttribute("data-loading", loading);
    this.#link.href = `#/c/${message.conversation_id}`;
    this.#name.textContent = message.sender.display_name;
    fill(this.#button, icon(playing ? "pause" : "play"));
    this.#button.setAttribute("aria-label", t(playing ? "player.pause" : "player.play", { name: message.sender.display_name }));
  }
}
