import { h, fill, make } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { avatar } from "./avatar.js";
import { openPeople } from "./people-dialog.js";
import { openProfile } from "./profile-dialog.js";
import { VxConversation } from "./vx-conversation.js";
import { VxConversationList } from "./vx-conversation-list.js";
import { VxElement, on } from "./vx-element.js";
import { VxNowPlaying } from "./vx-now-playing.js";

/** @typedef {import("../types.js").Message} Message */

/** The page of somebody who is signed in: the list at one side, one conversation at the other. `#/c/ID` names it. */
export class VxMain extends VxElement {
  /** @type {VxConversationList} */
  // @ts-expect-error made in start()
  #list;
  /** @type {VxNowPlaying} */
  // @ts-expect-error made in start()
  #playing;
  #open = "";
  #pane = h("main", { id: "pane", tabindex: "-1" });
  #banner = h("p", { class: "banner", role: "status", hidden: true });
  #profile = h("button", { type: "button", class: "profile", onclick: () => openProfile(this.client) });
  #heard = h("p", { class: "sr-only", "aria-live": "polite" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /** @param {AbortSignal} scope */
  start(scope) {
    const { client } = this;
    this.#list = make(VxConversationList, { client });
    this.#playing = make(VxNowPlaying, { client });
    const add = h(
      "button",
      { type: "button", class: "quiet new", "aria-label": t("people.new"), title: t("people.new"), onclick: () => openPeople(client, (id) => (location.hash = `#/c/${id}`)) },
      icon("plus"),
    );
    fill(
      this,
      this.#playing,
      h("nav", { class: "side", "aria-label": t("list.label") }, h("header", { class: "top-bar" }, this.#profile, add), this.#banner, this.#list),
      this.#pane,
      this.#heard,
    );
    addEventListener("hashchange", () => this.#route(), { signal: scope });
    addEventListener("offline", () => this.#renderBanner(), { signal: scope });
    on(client, "me", scope, () => this.#renderProfile());
    on(client, "status", scope, () => this.#renderBanner());
    on(client.store, "conversations", scope, () => (this.#route(), this.#renderTitle()));
    on(client.store, "arrived", scope, (message) => this.#announce(message));
    scope.addEventListener("abort", () => clearTimeout(this.#patience));
    this.#renderProfile();
    this.#renderBanner();
    this.#route();
  }

  #route() {
    const wanted = /^#\/c\/([\w-]+)$/.exec(location.hash)?.[1] ?? "";
    const id = this.client.store.conversation(wanted) ? wanted : "";
    if (id === this.#open && this.#pane.hasChildNodes()) return;
    this.#open = id;
    this.#list.select(id);
    this.#playing.show(id);
    this.toggleAttribute("data-open", id !== "");
    if (id) return fill(this.#pane, make(VxConversation, { client: this.client, conversationId: id }));
    fill(this.#pane, h("div", { class: "empty" }, icon("wave"), h("p", {}, t("main.empty")), h("p", { class: "muted" }, t("main.empty_hint"))));
  }

  #renderProfile() {
    const { me } = this.client;
    if (!me) return;
    fill(this.#profile, avatar(me.display_name, me.id), h("span", {}, me.display_name));
    this.#profile.setAttribute("aria-label", t("profile.open", { name: me.display_name }));
  }

  #renderTitle() {
    const unread = this.client.store.unread();
    document.title = unread > 0 ? `(${unread}) Voxpost` : "Voxpost";
  }

  /** A moment without a connection is nobody's business; a longer one is. */
  #renderBanner() {
    clearTimeout(this.#patience);
    const show = () => {
      this.#banner.hidden = this.client.status === "live" && navigator.onLine;
      this.#banner.textContent = t(navigator.onLine ? "status.connecting" : "status.offline");
    };
    if (this.client.status === "live" || !navigator.onLine) show();
    else this.#patience = setTimeout(show, 1200);
  }

  /** @param {Message} message */
  #announce(message) {
    const { display_name: name } = message.sender;
    if (message.state === "recording") this.#heard.textContent = t("conversation.recording", { name });
    else this.#heard.textContent = t("main.arrived", { name, duration: duration(message.duration_ms) });
  }
}
