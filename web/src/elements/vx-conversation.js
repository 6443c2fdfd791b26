import { h, fill, make } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { conversationName, partner } from "../names.js";
import { avatar } from "./avatar.js";
import { onFiles } from "./file-drop.js";
import { VxComposer } from "./vx-composer.js";
import { mayChangeLive, openLiveSettings } from "./live-dialog.js";
import { VxElement, on } from "./vx-element.js";
import { openGroup } from "./group-dialog.js";
import { VxMessageList } from "./vx-message-list.js";

/** One open conversation: who it is with, what was said, and the microphone. */
export class VxConversation extends VxElement {
  conversationId = "";
  #header = h("header", { class: "top-bar" });
  #line = h("p", { class: "muted line", "aria-live": "polite" });

  /** @param {AbortSignal} scope */
  start(scope) {
    const { client, conversationId } = this;
    on(client.store, "conversation", scope, (id) => id === conversationId && this.#render());
    on(client.typing, "change", scope, (id) => id === conversationId && this.#renderLine());
    const composer = make(VxComposer, { client, conversationId });
    fill(this, this.#header, make(VxMessageList, { client, conversationId }), composer);
    onFiles(this, scope, (files) => composer.attach(files));
    this.#render();
  }

  #render() {
    const { store } = this.client;
    const conversation = store.conversation(this.conversationId);
    if (!conversation) return;
    const name = conversationName(conversation, store.me);
    const group = conversation.kind === "group";
    const back = h("a", { class: "quiet back", href: "#", "aria-label": t("conversation.back") }, icon("back"));
    const members = h(
      "button",
      { type: "button", class: "quiet", "aria-label": t("group.open"), title: t("group.open"), onclick: () => openGroup(this.client, this.conversationId) },
      icon("group"),
    );
    const live = h(
      "button",
      { type: "button", class: "quiet", "aria-label": t("live.settings"), title: t("live.settings"), onclick: () => openLiveSettings(this.client, store.conversation(conversation.id) ?? conversation) },
      icon("live"),
    );
    fill(
      this.#header,
      back,
      avatar(name, partner(conversation, store.me)?.id ?? conversation.id, group),
      h("div", { class: "who" }, h("h1", {}, name), this.#line),
      mayChangeLive(conversation, store.me) && live,
      group && members,
    );
    this.#renderLine();
  }

  #renderLine() {
    const { store, typing } = this.client;
    const conversation = store.conversation(this.conversationId);
    if (!conversation) return;
    const recording = typing.of(this.conversationId)[0];
    this.#line.toggleAttribute("data-recording", recording !== undefined);
    const other = partner(conversation, store.me);
    this.#line.textContent = recording
      ? t("conversation.recording", { name: recording.display_name })
      : other
        ? `@${other.username}`
        : t("group.members", { count: conversation.members.length });
  }
}
