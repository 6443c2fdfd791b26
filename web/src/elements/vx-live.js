import { h, fill } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { canHearPackets } from "../live/listener.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Message} Message */

/** A recording that goes on, in the place where its message will be: to be heard while it is spoken. */
export class VxLive extends VxElement {
  /** @type {Message} */
  // @ts-expect-error set before the element is connected
  message;
  #time = h("span", { class: "time" });
  #actions = h("span", { class: "actions" });

  /** @param {AbortSignal} scope */
  start(scope) {
    const own = this.message.sender.id === this.client.store.me;
    fill(this, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "now" }, t(own ? "live.own" : "live.now")), this.#time, this.#actions);
    if (!own) on(this.client.hearing, "change", scope, () => this.#render());
    on(this.client, "progress", scope, ({ message_id, duration_ms }) => message_id === this.message.id && (this.#time.textContent = duration(duration_ms)));
    if (!own) this.#render();
  }

  #render() {
    const { hearing } = this.client;
    const { id, sender } = this.message;
    const hears = hearing.current === id;
    const focused = this.#actions.contains(document.activeElement);
    this.toggleAttribute("data-heard", hears);
    /** @param {"live.stop" | "live.edge" | "live.start"} label @param {import("../icons.js").IconName} name @param {() => void} run */
    const button = (label, name, run) => {
      const text = t(label, { name: sender.display_name });
      return h("button", { type: "button", class: "play", "aria-label": text, title: text, onclick: run }, icon(name));
    };
    const listen = (/** @type {"start" | "edge"} */ from) => {
      this.client.player.pause();
      hearing.listen(id, from);
    };
    if (hears) fill(this.#actions, button("live.stop", "pause", () => hearing.stop()));
    else fill(this.#actions, canHearPackets() && button("live.edge", "live", () => listen("edge")), button("live.start", "play", () => listen("start")));
    if (focused) /** @type {HTMLElement} */ (this.#actions.firstElementChild)?.focus();
  }
}
