import { h, fill } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../uploads/outbox.js").Item} Item */

/** As long as the notice that offers to undo it stays. */
const UNDO_MS = 8000;

/** Recordings of one conversation that were made and not sent: interrupted ones, and discarded ones that were taken back. */
export class VxDrafts extends VxElement {
  conversationId = "";
  /** @type {Set<string>} Discarded a moment ago; may still be taken back. */
  #discarded = new Set();

  /** @param {AbortSignal} scope */
  start(scope) {
    on(this.client.outbox, "change", scope, () => this.#render());
    this.#render();
  }

  /** To be called before the recording shows up here. @param {string} clientId */
  discard(clientId) {
    this.#discarded.add(clientId);
    const undo = () => {
      this.#discarded.delete(clientId);
      this.#render();
    };
    this.client.notify({ text: t("recorder.discarded"), action: { label: t("recorder.undo"), run: undo } });
    setTimeout(() => this.#discarded.delete(clientId) && this.client.outbox.discard(clientId), UNDO_MS);
  }

  #render() {
    const items = this.client.outbox
      .of(this.conversationId)
      .filter(({ status, entry }) => status === "draft" && !this.#discarded.has(entry.client_id));
    fill(this, ...items.map((item) => this.#draft(item)));
  }

  /** @param {Item} item */
  #draft({ entry }) {
    const text = entry.duration_ms > 0 ? t("draft.unsent_time", { duration: duration(entry.duration_ms) }) : t("draft.unsent");
    const { outbox } = this.client;
    return h(
      "div",
      { class: "draft", role: "status" },
      icon("mic"),
      h("span", {}, text),
      h("button", { type: "button", onclick: () => outbox.discard(entry.client_id) }, t("draft.discard")),
      h("button", { type: "button", class: "primary", onclick: () => outbox.sendNow(entry.client_id) }, t("draft.send")),
    );
  }
}
