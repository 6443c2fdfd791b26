import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../client.js").Notice} Notice */

const STAYS_MS = 8000;

/** Short notices at the edge of the page. They are there before they are filled, so that screen readers hear them. */
export class VxToasts extends VxElement {
  #polite = h("div", { role: "status", "aria-live": "polite" });
  #urgent = h("div", { role: "alert" });

  /** @param {AbortSignal} scope */
  start(scope) {
    fill(this, this.#urgent, this.#polite);
    on(this.client, "notice", scope, (notice) => this.#show(notice));
  }

  /** @param {Notice} notice */
  #show({ text, tone = "plain", action }) {
    const close = () => {
      clearTimeout(timer);
      toast.remove();
    };
    const run = () => {
      close();
      action?.run();
    };
    const toast = h(
      "div",
      { class: "toast", "data-tone": tone },
      h("span", {}, text),
      action && h("button", { type: "button", class: "link", onclick: run }, action.label),
      h("button", { type: "button", class: "quiet", "aria-label": t("dialog.close"), onclick: close }, icon("close")),
    );
    const timer = setTimeout(close, STAYS_MS);
    (tone === "error" ? this.#urgent : this.#polite).append(toast);
  }
}
