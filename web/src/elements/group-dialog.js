import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { avatar } from "./avatar.js";
import { confirmDialog, openDialog } from "./dialogs.js";
import { peopleSearch } from "./people-search.js";
import { field } from "./vx-auth.js";
import { on } from "./vx-element.js";

/** @typedef {import("../client.js").Client} Client */
/** @typedef {import("../types.js").Member} Member */
/** @typedef {import("../types.js").User} User */

/**
 * Who is in a group; its owners rename it, add and remove people, and everybody may leave.
 * @param {Client} client
 * @param {string} conversationId
 */
export function openGroup(client, conversationId) {
  const { api, store } = client;
  const scope = new AbortController();
  const members = h("ul", { class: "people" });
  const owned = h("div", {});
  const leave = h("button", { type: "button", class: "danger", onclick: () => remove(store.me) }, t("group.leave"));
  const dialog = openDialog(t("group.open"), owned, members, h("footer", {}, leave));
  dialog.addEventListener("close", () => scope.abort());

  const refresh = async () => store.mergeConversation(await api.conversation(conversationId));

  /** @param {string} userId */
  const remove = async (userId) => {
    const self = userId === store.me;
    const sure = await confirmDialog({
      title: t(self ? "group.leave_title" : "group.remove_title"),
      text: t(self ? "group.leave_text" : "group.remove_text"),
      action: t(self ? "group.leave" : "group.remove"),
    });
    if (!sure || !(await client.attempt(api.removeMember(conversationId, userId)))) return;
    if (!self) return void client.attempt(refresh());
    store.removeConversation(conversationId);
    dialog.close();
  };

  /** @param {User[]} users */
  const add = async (users) => {
    if (await client.attempt(api.addMembers(conversationId, users.map(({ username }) => username)))) await client.attempt(refresh());
    renderOwned();
  };

  /** @param {Member} member @param {boolean} owner */
  const line = ({ user, role }, owner) =>
    h(
      "li",
      {},
      h(
        "div",
        {},
        avatar(user.display_name, user.id),
        h("span", { class: "name" }, user.display_name),
        h("span", { class: "muted" }, role === "owner" ? t("group.owner") : `@${user.username}`),
        owner && user.id !== store.me
          ? h("button", { type: "button", class: "quiet", "aria-label": t("group.remove_name", { name: user.display_name }), onclick: () => remove(user.id) }, icon("close"))
          : null,
      ),
    );

  const isOwner = () => store.conversation(conversationId)?.members.some(({ user, role }) => user.id === store.me && role === "owner") ?? false;

  const renderOwned = () => {
    const conversation = store.conversation(conversationId);
    if (!conversation || !isOwner()) return fill(owned);
    const title = field(t("people.title"), { name: "title", maxlength: "100", required: true, value: conversation.title ?? "" });
    const rename = async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const value = /** @type {HTMLInputElement} */ (title.querySelector("input")).value.trim();
      await client.attempt(api.changeConversation(conversationId, { title: value }).then((changed) => store.mergeConversation(changed)));
    };
    /** @type {User[]} */
    let chosen = [];
    const addButton = h("button", { type: "button", class: "primary", hidden: true, onclick: () => add(chosen) }, t("group.add"));
    const search = peopleSearch(
      client,
      (users) => {
        chosen = users;
        addButton.hidden = users.length === 0;
      },
      ({ id }) => !store.conversation(conversationId)?.members.some(({ user }) => user.id === id),
    );
    fill(owned, h("form", { class: "inline", onsubmit: rename }, title, h("button", { type: "submit" }, t("group.rename"))), search.element, addButton);
  };

  const renderMembers = () => {
    const conversation = store.conversation(conversationId);
    if (!conversation) return dialog.close();
    const owner = isOwner();
    fill(members, ...conversation.members.map((member) => line(member, owner)));
  };

  on(store, "conversations", scope.signal, renderMembers);
  renderOwned();
  renderMembers();
}
