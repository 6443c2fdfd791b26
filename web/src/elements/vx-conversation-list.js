import { h, fill } from "../dom.js";
import { duration, when } from "../format.js";
import { locale, t } from "../i18n.js";
import { icon } from "../icons.js";
import { conversationName, partner } from "../names.js";
import { avatar } from "./avatar.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../types.js").Conversation} Conversation */

/** All conversations, newest activity first; each a link to its own address. */
export class VxConversationList extends VxElement {
  #selected = "";
  #list = h("ul", { class: "conversations" });
  #empty = h("div", { class: "empty" }, icon("wave"), h("p", {}, t("list.empty")), h("p", { class: "muted" }, t("list.empty_hint")));

  /** @param {AbortSignal} scope */
  start(scope) {
    fill(this, this.#list, this.#empty);
    const { store, typing, outbox } = this.client;
    for (const target of [store, typing, outbox]) {
      for (const type of ["conversations", "change"]) on(target, type, scope, () => this.#render());
    }
    this.#render();
  }

  /** @param {string} conversationId */
  select(conversationId) {
    this.#selected = conversationId;
    this.#render();
  }

  #render() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.closest("vx-conversation-list a")?.getAttribute("href");
    const conversations = this.client.store.conversations();
    fill(this.#list, ...conversations.map((conversation) => this.#line(conversation)));
    this.#empty.hidden = conversations.length > 0;
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`a[href="${focused}"]`))?.focus();
  }

  /** @param {Conversation} conversation */
  #line(conversation) {
    const { me } = this.client.store;
    const name = conversationName(conversation, me);
    const last = conversation.last_message;
    const unread = conversation.unread_count ?? 0;
    const unplayed = conversation.unplayed_count ?? 0;
    const current = conversation.id === this.#selected;
    return h(
      "li",
      {},
      h(
        "a",
        { href: `#/c/${conversation.id}`, "aria-current": current ? "page" : null, "data-unread": unread > 0, "data-unplayed": unplayed > 0 },
        avatar(name, partner(conversation, me)?.id ?? conversation.id, conversation.kind === "group"),
        h("span", { class: "name" }, name),
        last ? h("time", { datetime: last.created_at }, when(last.created_at, locale(), new Date())) : null,
        this.#preview(conversation),
        unread > 0 && h("span", { class: "badge", "aria-label": t("list.unread", { count: unread }) }, String(unread)),
        unread === 0 && unplayed > 0 && unplayedMark(unplayed),
      ),
    );
  }

  /** @param {Conversation} conversation */
  #preview(conversation) {
    const { store, typing, outbox } = this.client;
    const recording = typing.of(conversation.id)[0];
    if (recording) return h("span", { class: "preview accent" }, t("conversation.recording", { name: recording.display_name }));
    if (outbox.of(conversation.id).some(({ status }) => status === "draft" || status === "failed")) {
      return h("span", { class: "preview accent" }, t("list.unsent"));
    }
    const last = conversation.last_message;
    if (!last) return h("span", { class: "preview" }, t("list.nothing"));
    if (last.state === "deleted") return h("span", { class: "preview" }, t("message.deleted"));
    const own = last.sender.id === store.me;
    const author = own ? t("list.you") : conversation.kind === "group" ? t("list.author", { name: last.sender.display_name }) : "";
    return h("span", { class: "preview" }, author, icon("mic"), last.state === "recording" ? t("live.now") : duration(last.duration_ms));
  }
}

/** Read, but not played. @param {number} count */
function unplayedMark(count) {
  const text = t("list.unplayed", { count });
  return h("span", { class: "unplayed-count", role: "img", "aria-label": text, title: text }, icon("headphones"), String(count));
}
