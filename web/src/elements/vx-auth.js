import { ApiError } from "../api.js";
import { h, fill } from "../dom.js";
import { errorText, t } from "../i18n.js";
import { icon } from "../icons.js";
import { languageSelect } from "./language.js";
import { VxElement } from "./vx-element.js";

/** The way in: one form for signing in and for signing up. */
export class VxAuth extends VxElement {
  #signUp = false;

  start() {
    this.#render();
  }

  #render() {
    const signUp = this.#signUp;
    const mode = this.client.config?.sign_up ?? "open";
    const error = h("p", { class: "error", role: "alert" });
    const username = field(t("auth.username"), {
      name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true, maxlength: "64",
    }, signUp ? t("auth.username_hint") : "");
    const password = field(t("auth.password"), {
      name: "password", type: "password", autocomplete: signUp ? "new-password" : "current-password", required: true,
      minlength: signUp ? "8" : null, maxlength: "256",
    }, signUp ? t("auth.password_hint") : "");
    const name = field(t("auth.display_name"), { name: "display_name", autocomplete: "name", maxlength: "64" }, t("auth.display_name_hint"));
    const invite = field(t("auth.invite"), { name: "invite", autocomplete: "off", required: true });
    const submit = h("button", { type: "submit", class: "primary wide" }, t(signUp ? "auth.sign_up" : "auth.sign_in"));
    const form = h(
      "form",
      { onsubmit: (/** @type {SubmitEvent} */ event) => this.#submit(event, submit, error) },
      h("h1", {}, t(signUp ? "auth.sign_up_title" : "auth.sign_in_title")),
      username,
      signUp && name,
      password,
      signUp && mode === "invite" && invite,
      error,
      submit,
    );
    const other = h("button", { type: "button", class: "link", onclick: () => this.#turn() }, t(signUp ? "auth.have_account" : "auth.no_account"));
    fill(
      this,
      h("div", { class: "brand" }, h("span", { class: "logo" }, icon("wave")), h("span", { class: "wordmark" }, "Voxpost"), h("p", {}, t("auth.tagline"))),
      h("div", { class: "card" }, form, mode === "closed" ? null : other),
      languageSelect(),
    );
    form.querySelector("input")?.focus();
  }

  #turn() {
    this.#signUp = !this.#signUp;
    this.#render();
  }

  /**
   * @param {SubmitEvent} event
   * @param {HTMLButtonElement} submit
   * @param {HTMLElement} error
   */
  async #submit(event, submit, error) {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
    const credentials = { username: text("username"), password: String(data.get("password")) };
    const extra = {
      device_name: deviceName(),
      ...(text("display_name") ? { display_name: text("display_name") } : {}),
      ...(text("invite") ? { invite: text("invite") } : {}),
    };
    error.textContent = "";
    submit.disabled = true;
    try {
      const { api } = this.client;
      const answer = this.#signUp
        ? await api.signUp({ ...credentials, ...extra })
        : await api.signIn({ ...credentials, device_name: deviceName() });
      await this.client.signedIn(answer);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.textContent = this.#explain(failure);
    } finally {
      submit.disabled = false;
    }
  }

  /** The same code means something else here than elsewhere. @param {ApiError} failure */
  #explain({ code, message }) {
    if (code === "unauthenticated") return t("auth.wrong");
    if (code === "conflict") return t("auth.taken");
    if (code === "forbidden") return t("auth.invite_wrong");
    return code === "invalid_request" ? message : errorText(code);
  }
}

/**
 * A labelled input.
 * @param {string} label
 * @param {Record<string, any>} attributes
 * @param {string} [hint]
 */
export function field(label, attributes, hint = "") {
  return h("label", { class: "field" }, h("span", {}, label), h("input", attributes), hint ? h("small", {}, hint) : null);
}

/** What the list of sessions calls this browser: `Chrome · Linux`. */
function deviceName() {
  const agent = navigator.userAgent;
  const browser = ["Firefox", "Edg", "Chrome", "Safari"].find((name) => agent.includes(name)) ?? "Browser";
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].find((name) => agent.includes(name));
  return [browser === "Edg" ? "Edge" : browser, system].filter(Boolean).join(" · ");
}
