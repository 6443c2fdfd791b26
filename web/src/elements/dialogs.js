import { h } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";

/**
 * Shows a modal dialog with a heading and a close button; it leaves the page when it is closed, and the focus returns.
 * @param {string} title
 * @param {...(Node | null)} children
 */
export function openDialog(title, ...children) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const heading = h("h2", { id: `dialog-${document.querySelectorAll("dialog").length}` }, title);
  const close = h("button", { type: "button", class: "quiet", "aria-label": t("dialog.close"), onclick: () => dialog.close() }, icon("close"));
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading.id },
    h("header", {}, heading, close),
    ...children,
  );
  // A press that began and ended on the backdrop closes; the dialog's own padding belongs to its children.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks before something that cannot be taken back.
 * @param {{ title: string, text: string, action: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, action }) {
  return new Promise((resolve) => {
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, t("dialog.cancel"));
    const yes = h("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, action);
    const dialog = openDialog(title, h("p", {}, text), h("footer", {}, cancel, yes));
    dialog.classList.add("small");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    cancel.focus();
  });
}

/**
 * Tells something that needs room.
 * @param {string} title
 * @param {...string} paragraphs
 */
export function tellDialog(title, ...paragraphs) {
  const ok = h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, t("dialog.ok"));
  const dialog = openDialog(title, ...paragraphs.map((text) => h("p", {}, text)), h("footer", {}, ok));
  dialog.classList.add("small");
}
