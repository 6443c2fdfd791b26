import { ApiError } from "../api.js";
import { h, fill } from "../dom.js";
import { day } from "../format.js";
import { errorText, locale, t } from "../i18n.js";
import { confirmDialog, openDialog } from "./dialogs.js";
import { languageSelect } from "./language.js";
import { field } from "./vx-auth.js";

/** @typedef {import("../client.js").Client} Client */
/** @typedef {import("../types.js").Session} Session */

/**
 * Own name, settings, password, devices; signing out and deleting the account.
 * @param {Client} client
 */
export function openProfile(client) {
  const sessions = h("ul", { class: "sessions" });
  const signOut = async () => {
    const unsent = client.outbox.size;
    const question = { title: t("profile.sign_out"), text: t("profile.unsent", { count: unsent }), action: t("profile.sign_out") };
    if (unsent > 0 && !(await confirmDialog(question))) return;
    dialog.close();
    await client.signOut();
  };
  const remove = async () => {
    const question = { title: t("profile.delete_title"), text: t("profile.delete_text"), action: t("profile.delete") };
    if (!(await confirmDialog(question))) return;
    if (await client.attempt(client.deleteAccount())) dialog.close();
  };
  const dialog = openDialog(
    t("profile.title"),
    h(
      "div",
      { class: "sections" },
      nameForm(client),
      h("section", {}, toggle(client, "accepts_voice"), toggle(client, "sends_played_receipts")),
      h("section", { class: "row" }, h("span", {}, t("language.label")), languageSelect()),
      passwordForm(client, () => listSessions(client, sessions)),
      h("section", {}, h("h3", {}, t("profile.sessions")), sessions),
      h(
        "footer",
        {},
        h("button", { type: "button", class: "danger", onclick: remove }, t("profile.delete")),
        h("button", { type: "button", onclick: signOut }, t("profile.sign_out")),
      ),
    ),
  );
  const close = () => dialog.close();
  addEventListener("vx-language", close);
  client.addEventListener("session", close);
  dialog.addEventListener("close", () => {
    removeEventListener("vx-language", close);
    client.removeEventListener("session", close);
  });
  listSessions(client, sessions);
}

/** @param {Client} client */
function nameForm(client) {
  const name = field(t("auth.display_name"), { name: "display_name", required: true, maxlength: "64", value: client.me?.display_name }, `@${client.me?.username}`);
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const display_name = /** @type {HTMLInputElement} */ (name.querySelector("input")).value.trim();
    if (await client.attempt(client.changeMe({ display_name }))) client.notify({ text: t("profile.saved") });
  };
  return h("form", { class: "inline", onsubmit: save }, name, h("button", { type: "submit" }, t("profile.save")));
}

/**
 * @param {Client} client
 * @param {"accepts_voice" | "sends_played_receipts"} setting
 */
function toggle(client, setting) {
  const input = h("input", {
    type: "checkbox",
    role: "switch",
    checked: client.me?.[setting],
    onchange: async () => {
      const done = await client.attempt(client.changeMe({ [setting]: input.checked }));
      if (!done) input.checked = !input.checked;
    },
  });
  return h("label", { class: "check" }, input, h("span", {}, t(`profile.${setting}`)));
}

/**
 * @param {Client} client
 * @param {() => void} onChanged
 */
function passwordForm(client, onChanged) {
  const current = field(t("profile.current_password"), { name: "current", type: "password", autocomplete: "current-password", required: true });
  const fresh = field(t("profile.new_password"), { name: "fresh", type: "password", autocomplete: "new-password", required: true, minlength: "8", maxlength: "256" });
  const error = h("p", { class: "error", role: "alert" });
  const change = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const data = new FormData(form);
    error.textContent = "";
    try {
      await client.api.changePassword({ current_password: String(data.get("current")), new_password: String(data.get("fresh")) });
      form.reset();
      client.notify({ text: t("profile.password_changed") });
      onChanged();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.textContent = failure.code === "forbidden" ? t("profile.password_wrong") : errorText(failure.code);
    }
  };
  const form = h("form", { onsubmit: change }, current, fresh, error, h("button", { type: "submit" }, t("profile.change_password")));
  return h("details", {}, h("summary", {}, t("profile.password")), form);
}

/**
 * @param {Client} client
 * @param {HTMLElement} list
 */
async function listSessions(client, list) {
  const page = await client.api.sessions().catch(() => null);
  if (!page) return fill(list, h("li", { class: "muted" }, t("error.network")));
  const revoke = async (/** @type {string} */ id) => {
    if (await client.attempt(client.api.revokeSession(id))) listSessions(client, list);
  };
  fill(list, ...page.items.map((session) => sessionLine(session, () => revoke(session.id))));
}

/**
 * @param {Session} session
 * @param {() => void} revoke
 */
function sessionLine(session, revoke) {
  const name = session.device_name || t("profile.unnamed");
  const note = session.current ? t("profile.this_device") : t("profile.last_used", { day: day(session.last_used_at, locale(), new Date()) });
  return h(
    "li",
    {},
    h("span", {}, name, h("small", { class: session.current ? "accent" : "muted" }, note)),
    session.current ? null : h("button", { type: "button", "aria-label": t("profile.revoke_name", { name }), onclick: revoke }, t("profile.revoke")),
  );
}
