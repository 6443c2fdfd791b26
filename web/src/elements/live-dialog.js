import { h } from "../dom.js";
import { t } from "../i18n.js";
import { openDialog } from "./dialogs.js";

/** @typedef {import("../types.js").Conversation} Conversation */

/** Whether this person decides if a conversation may be heard live. @param {Conversation} conversation @param {string} me */
export const mayChangeLive = (conversation, me) =>
  conversation.kind === "direct" || conversation.members.some(({ user, role }) => user.id === me && role === "owner");

/**
 * Whether people may be heard while they record.
 * @param {import("../client.js").Client} client
 * @param {Conversation} conversation
 */
export function openLiveSettings(client, conversation) {
  const { api, store } = client;
  const box = h("input", { type: "checkbox", name: "live", checked: conversation.live });
  const change = async () => {
    const changed = api.changeConversation(conversation.id, { live: box.checked }).then((news) => store.mergeConversation(news));
    if (!(await client.attempt(changed))) box.checked = !box.checked;
  };
  box.addEventListener("change", change);
  openDialog(t("live.settings"), h("label", { class: "check" }, box, t("live.setting"))).classList.add("small");
}
