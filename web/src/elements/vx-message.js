import { h, fill, make } from "../dom.js";
import { clock } from "../format.js";
import { locale, t } from "../i18n.js";
import { icon } from "../icons.js";
import { receipt } from "../store.js";
import { confirmDialog } from "./dialogs.js";
import { VxElement } from "./vx-element.js";
import { VxLive } from "./vx-live.js";
import { VxPlayer } from "./vx-player.js";

/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("../types.js").Conversation} Conversation */

/** One message as a bubble: own ones on the right with their receipts, a deleted one as a tombstone. */
export class VxMessage extends VxElement {
  /** @type {Message} */
  // @ts-expect-error set before the element is connected
  message;
  /** The first of several of one person: bears the name in a group. */
  leads = false;
  #ticks = h("span", { class: "ticks" });
  #played = h("span", { class: "played-by", hidden: true });
  /** @type {VxPlayer | null} */
  #player = null;

  start() {
    this.update(this.message);
  }

  /** A newer state of the same message. @param {Message} message */
  update(message) {
    const first = !this.dataset.id || message.state !== this.message.state;
    this.message = message;
    if (first) this.#build();
    else this.#player?.update(message);
    this.updateTicks();
  }

  /** The others' marks moved. */
  updateTicks() {
    const conversation = this.#conversation;
    if (!conversation || !this.#own || this.message.state !== "ready") return;
    this.#updatePlayed();
    const state = receipt(conversation, this.message, this.client.store.me);
    if (this.#ticks.dataset.state === state) return;
    this.#ticks.dataset.state = state;
    fill(this.#ticks, icon(state === "sent" ? "check" : "checks"), h("span", { class: "sr-only" }, t(`receipt.${state}`)));
  }

  /** Played is more than read, and stands beside it. */
  #updatePlayed() {
    const { played_by = [], played_count = 0 } = this.message;
    const known = `${played_count} ${played_by.length}`;
    if (this.#played.dataset.known === known) return;
    this.#played.dataset.known = known;
    this.#played.hidden = played_count === 0;
    const names = played_by.map(({ display_name }) => display_name).join(", ");
    const more = played_count - played_by.length;
    const text = more > 0 ? t("receipt.played_more", { names, count: more }) : t("receipt.played", { names });
    this.#played.title = text;
    fill(this.#played, icon("headphones"), h("span", { class: "sr-only" }, text));
  }

  get #own() {
    return this.message.sender.id === this.client.store.me;
  }

  get #conversation() {
    return this.client.store.conversation(this.message.conversation_id);
  }

  get #mayDelete() {
    const role = this.#conversation?.members.find(({ user }) => user.id === this.client.store.me)?.role;
    return this.#own || (this.#conversation?.kind === "group" && role === "owner");
  }

  #build() {
    const { message } = this;
    const deleted = message.state === "deleted";
    this.className = this.#own ? "own" : "other";
    this.dataset.id = message.id;
    this.dataset.state = message.state;
    this.toggleAttribute("data-leads", this.leads);
    const named = this.leads && !this.#own && this.#conversation?.kind === "group";
    const placeholder = this.client.ownLevels.get(message.client_id ?? "") ?? null;
    const live = message.state === "recording";
    this.#player = deleted || live ? null : make(VxPlayer, { client: this.client, message, placeholder });
    delete this.#ticks.dataset.state;
    delete this.#played.dataset.known;
    fill(
      this,
      h(
        "div",
        { class: "bubble" },
        named && h("div", { class: "sender" }, message.sender.display_name),
        deleted ? h("p", { class: "tombstone" }, icon("trash"), t("message.deleted")) : live ? make(VxLive, { client: this.client, message }) : this.#player,
        message.caption && !deleted ? h("p", { class: "caption" }, message.caption) : null,
        h(
          "div",
          { class: "meta" },
          h("time", { datetime: message.created_at }, clock(message.created_at, locale())),
          this.#own && !deleted && this.#played,
          this.#own && !deleted && this.#ticks,
        ),
      ),
      !deleted && this.#mayDelete && this.#deleteButton(),
    );
  }

  #deleteButton() {
    return h(
      "button",
      { type: "button", class: "quiet delete", "aria-label": t("message.delete"), title: t("message.delete"), onclick: () => this.#delete() },
      icon("trash"),
    );
  }

  async #delete() {
    const sure = await confirmDialog({ title: t("message.delete_title"), text: t("message.delete_text"), action: t("message.delete") });
    if (sure) await this.client.attempt(this.client.deleteMessage(this.message));
  }
}
