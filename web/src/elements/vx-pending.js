import { h, fill, svg } from "../dom.js";
import { bytes, duration } from "../format.js";
import { errorText, locale, t } from "../i18n.js";
import { icon } from "../icons.js";
import { barPath, forDisplay } from "../waveform.js";
import { VxElement } from "./vx-element.js";

/** @typedef {import("../outbox.js").Item} Item */

/** A recording on its way to the server: how far it is, and what to do when it does not get there. */
export class VxPending extends VxElement {
  /** @type {Item} */
  // @ts-expect-error set before the element is connected
  item;
  #bar = h("progress", { max: "1" });
  #status = "";

  start() {
    this.className = "own pending";
    this.dataset.clientId = this.item.entry.client_id;
    this.update(this.item);
  }

  /** @param {Item} item */
  update(item) {
    this.item = item;
    this.#bar.value = item.progress;
    const status = `${item.status} ${item.error?.code}`;
    if (status === this.#status) return;
    this.#status = status;
    this.dataset.status = item.status;
    const { entry, blob } = item;
    const size = entry.duration_ms > 0 ? duration(entry.duration_ms) : bytes(blob?.size ?? 0, locale());
    fill(
      this,
      h(
        "div",
        { class: "bubble" },
        h("div", { class: "ghost" }, h("span", { class: "play" }, icon("clock")), picture(entry.levels), h("span", { class: "time" }, size)),
        item.status === "sending" && this.#bar,
        h("p", { class: "status", role: item.status === "failed" ? "alert" : null }, this.#text()),
        (item.status === "failed" || item.status === "waiting") && this.#buttons(),
      ),
    );
    this.#bar.setAttribute("aria-label", t("pending.sending"));
  }

  #text() {
    const { status, error } = this.item;
    if (status === "failed") return errorText(error?.code ?? "");
    if (status === "waiting") return error?.code === "network" ? t("pending.waiting") : errorText(error?.code ?? "");
    return t("pending.sending");
  }

  #buttons() {
    const { client_id } = this.item.entry;
    const { outbox } = this.client;
    return h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "link", onclick: () => outbox.sendNow(client_id) }, icon("retry"), t("pending.retry")),
      h("button", { type: "button", class: "link", onclick: () => outbox.discard(client_id) }, icon("trash"), t("pending.discard")),
    );
  }
}

/** @param {number[]} levels */
function picture(levels) {
  const box = { viewBox: "0 0 46 32", preserveAspectRatio: "none", class: "wave", "aria-hidden": "true" };
  return svg("svg", box, svg("path", { d: barPath(forDisplay(levels), 46, 32) }));
}
