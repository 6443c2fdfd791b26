import { ApiError } from "../api.js";
import { h } from "../dom.js";
import { errorText, t } from "../i18n.js";
import { openDialog } from "./dialogs.js";
import { peopleSearch } from "./people-search.js";
import { field } from "./vx-auth.js";

/** @typedef {import("../client.js").Client} Client */
/** @typedef {import("../types.js").User} User */

/**
 * Starts a conversation: with one person, or with several as a group with a title.
 * @param {Client} client
 * @param {(conversationId: string) => void} onOpen
 */
export function openPeople(client, onOpen) {
  /** @type {User[]} */
  let chosen = [];
  const title = field(t("people.title"), { name: "title", maxlength: "100", required: true }, t("people.title_hint"));
  const titleInput = /** @type {HTMLInputElement} */ (title.querySelector("input"));
  const error = h("p", { class: "error", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, t("people.talk"));
  const asGroup = h("input", { type: "checkbox", onchange: () => render() });
  const groupLine = h("label", { class: "check" }, asGroup, t("people.as_group"));

  const render = () => {
    const group = chosen.length > 1 || asGroup.checked;
    groupLine.hidden = chosen.length !== 1;
    title.hidden = !group || chosen.length === 0;
    titleInput.required = !title.hidden;
    submit.disabled = chosen.length === 0;
    submit.textContent = !title.hidden
      ? t("people.create", { count: chosen.length + 1 })
      : chosen.length === 1
        ? t("people.talk_to", { name: chosen[0].display_name })
        : t("people.talk");
  };

  const start = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (chosen.length === 0) return;
    error.textContent = "";
    submit.disabled = true;
    try {
      const usernames = chosen.map(({ username }) => username);
      const conversation = await client.startConversation(usernames, title.hidden ? undefined : titleInput.value.trim());
      dialog.close();
      onOpen(conversation.id);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.textContent = errorText(failure.code);
      submit.disabled = false;
    }
  };

  const search = peopleSearch(client, (users) => {
    chosen = users;
    render();
  });
  const dialog = openDialog(
    t("people.new"),
    h("form", { onsubmit: start }, search.element, groupLine, title, error, h("footer", {}, submit)),
  );
  render();
  search.input.focus();
}
