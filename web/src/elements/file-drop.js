import { h } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";

const BY_NAME = /\.(opus|ogg|oga|webm|m4a|mp4|aac|mp3|wav|flac|amr|3gp|caf|aiff?)$/i;

/** Whether it may be sound; the server looks into it. @param {File} file */
export const mayBeSound = ({ type, name }) => type.startsWith("audio/") || /^video\/(webm|mp4|3gpp|ogg)$/.test(type) || BY_NAME.test(name);

/**
 * Takes files that are dropped onto an element or pasted anywhere but into a field, and shows where they can be dropped.
 * @param {HTMLElement} element
 * @param {AbortSignal} scope
 * @param {(files: File[]) => void} take
 */
export function onFiles(element, scope, take) {
  const sign = h("div", { class: "drop", "aria-hidden": "true" }, icon("attach"), h("p", {}, t("drop.hint")));
  const hide = () => sign.remove();
  const over = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    if (!sign.isConnected) element.append(sign);
  };
  const signal = { signal: scope };
  element.addEventListener("dragover", over, signal);
  element.addEventListener("dragleave", (event) => !inside(element, event) && hide(), signal);
  element.addEventListener(
    "drop",
    (event) => {
      hide();
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      take(files);
    },
    signal,
  );
  addEventListener(
    "paste",
    (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      const elsewhere = event.target instanceof HTMLInputElement || document.querySelector("dialog[open]");
      if (files.length === 0 || elsewhere) return;
      event.preventDefault();
      take(files);
    },
    signal,
  );
}

/** Whether the pointer only went on to something within. @param {HTMLElement} element @param {DragEvent} event */
const inside = (element, { relatedTarget }) => relatedTarget instanceof Node && element.contains(relatedTarget);
