import { h, fill, make } from "../dom.js";
import { day, dayNumber } from "../format.js";
import { locale, t } from "../i18n.js";
import { icon } from "../icons.js";
import { VxElement, on } from "./vx-element.js";
import { VxMessage } from "./vx-message.js";
import { VxPending } from "./vx-pending.js";

/** @typedef {import("../types.js").Message} Message */

/** Closer to the end than this counts as being at the end. */
const NEAR_PX = 80;

/**
 * The messages of one conversation, the newest at the bottom. Older ones are loaded when the top comes near. An element
 * lives as long as its message, so that what plays goes on playing while others arrive.
 */
export class VxMessageList extends VxElement {
  conversationId = "";
  /** @type {Map<string, VxMessage>} */
  #rows = new Map();
  /** @type {Map<string, VxPending>} */
  #pending = new Map();
  #top = h("li", { class: "top", "aria-hidden": "true" });
  #list = h("ol", { class: "messages" });
  #empty = h("div", { class: "empty" });
  #stuck = true;

  /** @param {AbortSignal} scope */
  start(scope) {
    fill(this, this.#list, this.#empty);
    this.setAttribute("tabindex", "-1");
    const { store, outbox } = this.client;
    on(store, "messages", scope, (id) => id === this.conversationId && this.#render());
    on(store, "conversation", scope, (id) => id === this.conversationId && this.#conversationChanged());
    on(outbox, "change", scope, () => this.#renderPending());
    this.addEventListener("scroll", () => (this.#stuck = this.#atEnd), { signal: scope, passive: true });
    for (const type of ["focus", "online"]) addEventListener(type, () => this.#look(), { signal: scope });
    document.addEventListener("visibilitychange", () => this.#look(), { signal: scope });
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && this.#loadOlder(), { root: this, rootMargin: "400px" });
    observer.observe(this.#top);
    // A bubble may grow after it is in place, and the window may shrink: the end stays in view.
    const size = new ResizeObserver(() => this.#stuck && this.#scrollToEnd());
    size.observe(this);
    size.observe(this.#list);
    scope.addEventListener("abort", () => (observer.disconnect(), size.disconnect()));
    this.#render();
    this.#renderPending();
  }

  get #atEnd() {
    return this.scrollHeight - this.scrollTop - this.clientHeight < NEAR_PX;
  }

  #scrollToEnd() {
    this.scrollTop = this.scrollHeight;
  }

  /** What is read: the first row in view, and where it is. It stays there, whatever is put in above and below. */
  #anchor() {
    const { top } = this.getBoundingClientRect();
    for (const row of this.#rows.values()) {
      const place = row.getBoundingClientRect();
      if (place.bottom > top) return { row, top: place.top };
    }
    return null;
  }

  async #loadOlder() {
    await this.client.attempt(this.client.loadOlder(this.conversationId));
  }

  #render() {
    const stretch = this.client.store.stretch(this.conversationId);
    if (!stretch) {
      this.#loadOlder();
      return;
    }
    const anchor = this.#stuck ? null : this.#anchor();
    /** @type {Map<string, VxMessage>} */
    const rows = new Map();
    /** @type {Node[]} */
    const nodes = stretch.complete ? [] : [this.#top];
    /** @type {Message | null} */
    let previous = null;
    for (const message of stretch.items) {
      const newDay = !previous || dayNumber(new Date(previous.created_at)) !== dayNumber(new Date(message.created_at));
      if (newDay) nodes.push(h("li", { class: "day", role: "separator" }, h("span", {}, day(message.created_at, locale(), new Date()))));
      const leads = newDay || previous?.sender.id !== message.sender.id;
      const row = this.#row(message, leads);
      rows.set(message.id, row);
      nodes.push(/** @type {Node} */ (row.parentElement ?? h("li", {}, row)));
      previous = message;
    }
    this.#rows = rows;
    const pending = [...this.#pending.values()].map((element) => /** @type {Node} */ (element.parentElement));
    this.#arrange([...nodes, ...pending]);
    if (anchor) this.scrollTop += anchor.row.getBoundingClientRect().top - anchor.top;
    else if (this.#stuck) this.#scrollToEnd();
    this.#renderEmpty();
    this.#look();
  }

  /**
   * @param {Message} message
   * @param {boolean} leads
   */
  #row(message, leads) {
    const held = this.#rows.get(message.id);
    if (!held) return make(VxMessage, { client: this.client, message, leads });
    if (held.message !== message) held.update(message);
    return held;
  }

  /** Puts the children in order without taking out those that stay. @param {Node[]} nodes */
  #arrange(nodes) {
    const wanted = new Set(nodes);
    for (const child of [...this.#list.childNodes]) if (!wanted.has(child)) child.remove();
    nodes.forEach((node, i) => {
      const there = this.#list.childNodes[i];
      if (there !== node) this.#list.insertBefore(node, there ?? null);
    });
  }

  #renderPending() {
    const items = this.client.outbox.of(this.conversationId).filter(({ status }) => status !== "draft" && status !== "recording");
    const ids = new Set(items.map(({ entry }) => entry.client_id));
    for (const [id, element] of this.#pending) {
      if (ids.has(id)) continue;
      element.parentElement?.remove();
      this.#pending.delete(id);
    }
    for (const item of items) {
      const held = this.#pending.get(item.entry.client_id);
      if (held) {
        held.update(item);
        continue;
      }
      const element = make(VxPending, { client: this.client, item });
      this.#pending.set(item.entry.client_id, element);
      this.#list.append(h("li", {}, element));
      this.#stuck = true;
      this.#scrollToEnd();
    }
    this.#renderEmpty();
  }

  #renderEmpty() {
    const stretch = this.client.store.stretch(this.conversationId);
    const empty = stretch !== null && stretch.items.length === 0 && this.#pending.size === 0;
    this.#empty.hidden = !empty;
    if (empty) fill(this.#empty, icon("wave"), h("p", {}, t("messages.empty")), h("p", { class: "muted" }, t("messages.empty_hint")));
  }

  #conversationChanged() {
    for (const row of this.#rows.values()) row.updateTicks();
    this.#look();
  }

  /** Reading is having the end of the list before one's eyes, in the window that one looks at. */
  #look() {
    if (document.hidden || !document.hasFocus() || !this.#atEnd) return;
    if (this.client.store.stretch(this.conversationId)) this.client.markRead(this.conversationId);
  }
}
