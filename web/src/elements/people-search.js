import { ApiError } from "../api.js";
import { h, fill } from "../dom.js";
import { errorText, t } from "../i18n.js";
import { avatar } from "./avatar.js";

/** @typedef {import("../client.js").Client} Client */
/** @typedef {import("../types.js").User} User */

/** The server looks for three letters or more. */
const LEAST = 3;
const PAUSE_MS = 200;

/**
 * A search field over people whose results can be ticked. Those who were ticked stay on top.
 * @param {Client} client
 * @param {(chosen: User[]) => void} onChange
 * @param {(user: User) => boolean} [offer]  whom to leave out
 */
export function peopleSearch(client, onChange, offer = () => true) {
  /** @type {Map<string, User>} */
  const chosen = new Map();
  /** @type {User[]} */
  let found = [];
  let asked = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const input = h("input", { type: "search", autocomplete: "off", spellcheck: "false", autocapitalize: "none", oninput: () => later() });
  const results = h("ul", { class: "people" });
  const note = h("p", { class: "muted", role: "status" }, t("people.hint"));

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  };

  const search = async () => {
    const query = input.value.trim();
    asked = query;
    if (Array.from(query).length < LEAST) {
      found = [];
      return render(t("people.hint"));
    }
    try {
      const { items } = await client.api.findUsers(query);
      // A slow answer to what was typed before is of no use any more.
      if (asked !== query) return;
      found = items.filter((user) => user.id !== client.store.me && offer(user));
      render(found.length > 0 ? "" : t("people.none"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      render(errorText(error.code));
    }
  };

  /** @param {User} user */
  const toggle = (user) => {
    if (!chosen.delete(user.id)) chosen.set(user.id, user);
    onChange([...chosen.values()]);
  };

  /** @param {string} text */
  const render = (text) => {
    note.textContent = text;
    const others = found.filter(({ id }) => !chosen.has(id));
    fill(results, ...[...chosen.values(), ...others].map((user) => line(user)));
  };

  /** @param {User} user */
  const line = (user) =>
    h(
      "li",
      {},
      h(
        "label",
        {},
        h("input", { type: "checkbox", checked: chosen.has(user.id), onchange: () => toggle(user) }),
        avatar(user.display_name, user.id),
        h("span", { class: "name" }, user.display_name),
        h("span", { class: "muted" }, `@${user.username}`),
      ),
    );

  const element = h("div", { class: "people-search" }, h("label", { class: "field" }, h("span", {}, t("people.search")), input), note, results);
  return { element, input };
}
