import { h, fill } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { Preview } from "./preview.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Message} Message */

/** As long as the notice that offers to undo it stays. */
const UNDO_MS = 8000;

/**
 * Recordings of one conversation that were made and not sent: interrupted ones, discarded ones that were taken back, and those
 * that another device or page left at the server.
 */
export class VxDrafts extends VxElement {
  conversationId = "";
  /** @type {Set<string>} Discarded a moment ago; may still be taken back. */
  #discarded = new Set();
  /** Those at the server. @type {Message[]} */
  #elsewhere = [];
  #preview = new Preview(() => this.#render());
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /** @param {AbortSignal} scope */
  start(scope) {
    on(this.client.outbox, "change", scope, () => this.#render());
    on(this.client, "status", scope, (status) => status === "live" && this.#list());
    on(this.client, "progress", scope, ({ user_id, state }) => user_id === this.client.store.me && state !== "recording" && this.#list());
    scope.addEventListener("abort", () => this.#preview.stop());
    this.#list();
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

  async #list() {
    const page = await this.client.api.drafts().catch(() => null);
    if (!page || !this.isConnected) return;
    this.#elsewhere = page.items.filter(({ conversation_id }) => conversation_id === this.conversationId);
    this.#render();
  }

  #render() {
    const { outbox, api } = this.client;
    const own = outbox.of(this.conversationId);
    const here = own
      .filter(({ status, entry }) => status === "draft" && !this.#discarded.has(entry.client_id))
      .map(({ entry, blob }) => {
        const text = entry.duration_ms > 0 ? t("draft.unsent_time", { duration: duration(entry.duration_ms) }) : t("draft.unsent");
        const id = entry.client_id;
        return this.#draft(id, text, () => blob && this.#preview.toggle(id, blob), () => outbox.discard(id), () => outbox.sendNow(id));
      });
    const known = new Set(own.map(({ entry }) => entry.client_id));
    const elsewhere = this.#elsewhere
      .filter(({ client_id }) => !known.has(client_id ?? ""))
      .map(({ id, duration_ms }) => {
        const url = () => api.audioUrl(id).then(({ url }) => url);
        const end = (/** @type {Promise<unknown>} */ work) => this.client.attempt(work).then(() => this.#list());
        return this.#draft(
          id,
          t("draft.elsewhere", { duration: duration(duration_ms) }),
          () => this.#preview.toggle(id, url()),
          () => end(api.deleteMessage(id)),
          () => end(api.finishDraft(id).then((message) => this.client.store.mergeMessage(message))),
        );
      });
    const rows = [...here, ...elsewhere];
    if (rows.length === this.children.length && rows.every((row, i) => row === this.children[i])) return;
    for (const [key, row] of this.#rows) if (!rows.includes(row)) this.#rows.delete(key);
    fill(this, ...rows);
  }

  /**
   * The same row as long as it says the same, so that its buttons keep the focus.
   * @param {string} id
   * @param {string} text
   * @param {() => void} listen
   * @param {() => void} discard
   * @param {() => void} send
   */
  #draft(id, text, listen, discard, send) {
    const plays = this.#preview.current === id;
    const key = `${id} ${text} ${plays}`;
    const held = this.#rows.get(key);
    if (held) return held;
    const label = t(plays ? "draft.stop" : "draft.listen");
    const row = h(
      "div",
      { class: "draft", role: "status" },
      icon("mic"),
      h("span", {}, text),
      h("button", { type: "button", class: "quiet listen", "aria-label": label, title: label, onclick: listen }, icon(plays ? "pause" : "play")),
      h("button", { type: "button", onclick: discard }, t("draft.discard")),
      h("button", { type: "button", class: "primary", onclick: send }, t("draft.send")),
    );
    this.#rows.set(key, row);
    return row;
  }
}
