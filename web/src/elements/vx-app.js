import { h, fill, make } from "../dom.js";
import { t } from "../i18n.js";
import { VxAuth } from "./vx-auth.js";
import { VxElement, on } from "./vx-element.js";
import { VxMain } from "./vx-main.js";
import { VxToasts } from "./vx-toasts.js";

/** The whole page: the way in, or the conversations of the one who is in. */
export class VxApp extends VxElement {
  #page = h("div", { class: "page" });

  /** @param {AbortSignal} scope */
  start(scope) {
    fill(this, this.#page, make(VxToasts, { client: this.client }));
    on(this.client, "session", scope, () => this.render());
    addEventListener("vx-language", () => this.render(), { signal: scope });
  }

  render() {
    const { client } = this;
    if (!client.me) document.title = "Voxpost";
    if (client.me) fill(this.#page, make(VxMain, { client }));
    else if (client.api.token) fill(this.#page, h("p", { class: "waiting", role: "status" }, t("status.connecting")));
    else fill(this.#page, make(VxAuth, { client }));
  }
}
