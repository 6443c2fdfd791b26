import { h, fill, svg } from "../dom.js";
import { byteRate, bytes, duration, roughTime } from "../format.js";
import { errorText, locale, t } from "../i18n.js";
import { icon } from "../icons.js";
import { goesResumably } from "../uploads/delivery.js";
import { barPath, forDisplay } from "../waveform.js";
import { VxElement } from "./vx-element.js";

/** @typedef {import("../uploads/outbox.js").Item} Item */

/** Figures that change faster cannot be read. */
const FIGURES_MS = 400;

/**
 * A recording or a file on its way to the server: how far it is, and what to do when it does not get there. What it is at is
 * told to screen readers when it changes; the figures are not, they are in the progress bar for whoever asks.
 */
export class VxPending extends VxElement {
  /** @type {Item} */
  // @ts-expect-error set before the element is connected
  item;
  #bar = h("progress", { max: "1" });
  #text = h("p", { class: "status", role: "status" });
  #alert = h("p", { class: "status", role: "alert" });
  #figures = h("p", { class: "figures" });
  #actions = h("div", { class: "actions" });
  #cancel = h("button", { type: "button", class: "quiet cancel" }, icon("close"));
  #status = "";
  #drawn = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;

  start() {
    const { entry, blob } = this.item;
    this.className = "own pending";
    this.dataset.clientId = entry.client_id;
    const size = entry.duration_ms > 0 ? duration(entry.duration_ms) : bytes(blob?.size ?? 0, locale());
    const what = entry.attached ? h("span", { class: "filename", title: entry.filename }, entry.filename) : picture(entry.levels);
    const ghost = h("div", { class: "ghost" }, h("span", { class: "play" }, icon(entry.attached ? "file" : "clock")), what, h("span", { class: "time" }, size), this.#cancel);
    fill(this, h("div", { class: "bubble" }, ghost, this.#bar, this.#text, this.#alert, this.#figures, this.#actions));
    this.#cancel.addEventListener("click", () => this.client.outbox.cancel(entry.client_id));
    const name = { name: entry.attached ? entry.filename : t("pending.recording") };
    this.#bar.setAttribute("aria-label", t("pending.progress", name));
    this.#cancel.setAttribute("aria-label", t("pending.cancel", name));
    this.#cancel.title = t("pending.cancel", name);
    this.update(this.item);
  }

  /** @param {Item} item */
  update(item) {
    this.item = item;
    const status = `${item.status} ${item.error?.code}`;
    const changed = status !== this.#status;
    this.#status = status;
    if (changed) this.#renderStatus();
    const wait = changed ? 0 : this.#drawn + FIGURES_MS - performance.now();
    if (wait <= 0) this.#renderFigures();
    // What comes last before it stands still is shown as well.
    else this.#later ??= setTimeout(() => this.#renderFigures(), wait);
  }

  #renderStatus() {
    const { status, error } = this.item;
    this.dataset.status = status;
    const failed = status === "failed";
    const stopped = failed || status === "waiting";
    this.#bar.hidden = failed;
    this.#cancel.hidden = stopped || !goesResumably(this.item);
    this.#text.textContent = failed ? "" : this.#told();
    this.#alert.textContent = failed ? errorText(error?.code ?? "") : "";
    fill(this.#actions, ...(stopped ? this.#buttons() : []));
  }

  /** What it is at, in words. */
  #told() {
    const { status, error } = this.item;
    if (status === "waiting" && error?.code !== "network") return errorText(error?.code ?? "");
    if (status === "waiting") return t("pending.waiting");
    if (status === "storing") return t("pending.storing");
    if (status === "queued") return t("pending.queued");
    return t(status === "finishing" ? "pending.finishing" : "pending.sending");
  }

  #renderFigures() {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#drawn = performance.now();
    const { status, sent_bytes, bytes_per_second, left_ms, blob } = this.item;
    const total = blob?.size ?? 0;
    if (status === "storing" || status === "finishing") this.#bar.removeAttribute("value");
    else this.#bar.value = total > 0 ? Math.min(1, sent_bytes / total) : 0;
    const moves = (status === "sending" || status === "waiting") && goesResumably(this.item);
    const figures = [
      moves && t("pending.so_far", { sent: bytes(sent_bytes, locale()), total: bytes(total, locale()) }),
      moves && bytes_per_second !== null && byteRate(bytes_per_second, locale()),
      moves && left_ms !== null && t("pending.left", { time: roughTime(left_ms, locale()) }),
    ];
    this.#figures.textContent = figures.filter(Boolean).join(" · ");
  }

  #buttons() {
    const { entry, error } = this.item;
    const { outbox } = this.client;
    const retry = h("button", { type: "button", class: "link", onclick: () => outbox.sendNow(entry.client_id) }, icon("retry"), t("pending.retry"));
    const discard = h("button", { type: "button", class: "link", onclick: () => outbox.discard(entry.client_id) }, icon("trash"), t("pending.discard"));
    return isOfTheSound(error?.code ?? "") ? [discard] : [retry, discard];
  }
}

/** The same bytes will not be taken another time either. @param {string} code */
const isOfTheSound = (code) => code.startsWith("audio_") || code.startsWith("file_");

/** @param {number[]} levels */
function picture(levels) {
  const box = { viewBox: "0 0 46 32", preserveAspectRatio: "none", class: "wave", "aria-hidden": "true" };
  return svg("svg", box, svg("path", { d: barPath(forDisplay(levels), 46, 32) }));
}
