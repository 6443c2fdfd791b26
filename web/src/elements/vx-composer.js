import { h, fill, make, svg, uuid } from "../dom.js";
import { stopwatch } from "../format.js";
import { errorText, t } from "../i18n.js";
import { icon } from "../icons.js";
import { LiveRecorder, canRecordLive } from "../live/recorder.js";
import { Recorder, canRecord, extension, limitMs } from "../recorder.js";
import { REPEAT_MS } from "../typing.js";
import { FULL_SCALE, barPath } from "../waveform.js";
import { tellDialog } from "./dialogs.js";
import { mayBeSound } from "./file-drop.js";
import { onPress } from "./press.js";
import { VxDrafts } from "./vx-drafts.js";
import { VxElement, on } from "./vx-element.js";

/** @typedef {import("../uploads/journal.js").Entry} Entry */

/** A press shorter than this is a click: the recording goes on without the finger. */
const CLICK_MS = 350;
/** Dragging this far to the left while holding throws the recording away. */
const CANCEL_PX = 90;
const WARN_MS = 10_000;
/** Room that one bar of the meter takes. */
const METER_PX = 8;
/** Whether one wants to be heard while one speaks, where that is allowed. */
const LIVE = "voxpost.live";

/**
 * The bar under a conversation. Hold the microphone to talk, or press it once to record with free hands; Escape or a drag
 * to the left discards (and can be undone for a while), letting go or Send sends.
 */
export class VxComposer extends VxElement {
  conversationId = "";
  /** @type {Recorder | LiveRecorder | null} */
  #recorder = null;
  /** @type {Entry | null} */
  #entry = null;
  /** @type {"idle" | "starting" | "held" | "free"} */
  #mode = "idle";
  /** What the mode will be once the microphone is there. @type {"held" | "free"} */
  #wanted = "free";
  #typed = -Infinity;
  /** @type {number[]} */
  #levels = [];

  /** @type {VxDrafts} */
  // @ts-expect-error made in start()
  #drafts;
  #bar = h("div", { class: "bar" });
  #file = h("input", { type: "file", accept: "audio/*,.opus,.ogg,.webm,.m4a,.mp3,.wav,.flac,.amr", multiple: true, hidden: true, tabindex: "-1" });
  #mic = h("button", { type: "button", class: "mic" }, icon("mic"));
  #clock = h("span", { class: "stopwatch", role: "timer" });
  #meter = svg("path", {});
  #picture = svg("svg", { preserveAspectRatio: "none", class: "meter", "aria-hidden": "true" }, this.#meter);
  #wantsLive = localStorage.getItem(LIVE) === "on";
  /** Recordings go up packet by packet, if this browser can do that. */
  #packets = false;
  /** @type {import("../live/verdict.js").Verdict} */
  #verdict = "good";
  #liveButton = h("button", { type: "button", class: "quiet live", onclick: () => this.#toggleLive() }, icon("live"));
  #warning = h("span", { class: "warning", role: "status" });
  #pause = h("button", { type: "button", class: "quiet pause" });

  /** @param {AbortSignal} scope */
  start(scope) {
    this.#drafts = make(VxDrafts, { client: this.client, conversationId: this.conversationId });
    fill(this, this.#drafts, this.#bar, this.#file);
    const signal = { signal: scope };
    this.#file.addEventListener("change", () => this.#chosen(), signal);
    onPress(this.#mic, scope, {
      down: () => this.#mode === "idle" && (this.#begin("held"), true),
      drag: (px) => this.#dragged(px),
      up: (ms) => (this.#mode === "held" && ms >= CLICK_MS ? this.#finish("queued") : this.#free()),
      lost: () => this.#free(),
    });
    // A click without a pointer is the keyboard, or a screen reader.
    this.#mic.addEventListener("click", (event) => event.detail === 0 && this.#begin("free"), signal);
    this.#pause.addEventListener("click", () => this.#togglePause(), signal);
    addEventListener("keydown", (event) => event.key === "Escape" && this.#escape(), signal);
    addEventListener("pagehide", () => this.#keepNow(), signal);
    on(this.client.store, "conversation", scope, (id) => id === this.conversationId && this.#mode === "idle" && this.#render());
    this.#mic.setAttribute("aria-label", t("recorder.record"));
    on(this.client.recordings, "ended", scope, (clientId) => clientId === this.#entry?.client_id && this.#finish("queued"));
    this.#render();
    canRecordLive().then((can) => {
      this.#packets = can;
      this.#render();
    });
  }

  #toggleLive() {
    this.#wantsLive = !this.#wantsLive;
    localStorage.setItem(LIVE, this.#wantsLive ? "on" : "off");
    this.#render();
  }

  /** @param {import("../live/verdict.js").Verdict} verdict */
  #judge(verdict) {
    this.#verdict = verdict;
    this.#warn();
  }

  disconnectedCallback() {
    // Another conversation was opened, or the language changed: what was said is kept for later.
    if (this.#mode !== "idle") this.#finish("recording");
    super.disconnectedCallback();
  }

  /** @param {number} px */
  #dragged(px) {
    this.style.setProperty("--drag", `${px}px`);
    if (px > -CANCEL_PX || this.#mode !== "held") return true;
    this.#cancel();
    return false;
  }

  /** The recording goes on without being held. */
  #free() {
    if (this.#mode === "starting") this.#wanted = "free";
    if (this.#mode !== "held") return;
    this.#mode = "free";
    this.#render();
  }

  /** @param {"held" | "free"} mode */
  async #begin(mode) {
    if (this.#mode !== "idle") return;
    if (!canRecord()) return tellDialog(t("recorder.insecure_title"), t("recorder.insecure_text"), t("recorder.insecure_how"));
    this.client.player.pause();
    this.#mode = "starting";
    this.#wanted = mode;
    this.#levels = [];
    this.#clock.textContent = stopwatch(0);
    this.style.setProperty("--drag", "0px");
    const most = limitMs(this.client.config?.max_duration_ms ?? 3_600_000);
    const recorder = this.#packets ? new LiveRecorder(most) : new Recorder(most);
    this.#recorder = recorder;
    try {
      await recorder.start();
    } catch (error) {
      return this.#refused(/** @type {DOMException} */ (error), recorder);
    }
    if (this.#recorder !== recorder) return;
    this.#mode = this.#wanted;
    this.#entry = this.#newEntry(recorder.type, `voice.${extension(recorder.type)}`);
    if (recorder instanceof LiveRecorder) this.#beginLive(recorder, this.#entry);
    this.client.outbox.begin(this.#entry);
    const pieces = this.#keepPieces(this.#entry.client_id);
    recorder.addEventListener("piece", (event) => pieces(/** @type {CustomEvent} */ (event).detail));
    recorder.addEventListener("verdict", (event) => this.#judge(/** @type {CustomEvent} */ (event).detail));
    recorder.addEventListener("tick", (event) => this.#recorder === recorder && this.#tick(/** @type {CustomEvent} */ (event).detail));
    recorder.addEventListener("limit", () => this.#limit());
    recorder.addEventListener("lost", () => this.#lost());
    this.#render();
  }

  /** Its packets go up while it is made. @param {LiveRecorder} recorder @param {Entry} entry */
  #beginLive(recorder, entry) {
    const { recordings } = this.client;
    const { client_id } = entry;
    entry.live = { live: this.#isLive };
    recordings.begin(entry);
    recorder.step = () => recordings.step(client_id);
    recorder.addEventListener("packet", (event) => recordings.push(client_id, /** @type {CustomEvent} */ (event).detail));
  }

  /** Others hear it while it is spoken: the conversation allows it, and its maker wants it. */
  get #isLive() {
    return this.#packets && this.#wantsLive && (this.client.store.conversation(this.conversationId)?.live ?? false);
  }

  /** @param {DOMException} error @param {Recorder | LiveRecorder} recorder */
  #refused(error, recorder) {
    if (this.#recorder !== recorder) return;
    this.#reset();
    if (recorder instanceof LiveRecorder && !["NotAllowedError", "NotFoundError", "NotReadableError"].includes(error.name)) {
      // This browser cannot do it after all.
      this.#packets = false;
      this.client.notify({ text: t("recorder.as_file") });
      return void this.#begin(this.#wanted);
    }
    if (error.name === "NotAllowedError") tellDialog(t("recorder.denied_title"), t("recorder.denied_text"));
    else tellDialog(t("recorder.missing_title"), t("recorder.missing_text"));
  }

  /**
   * @param {string} type
   * @param {string} filename
   * @param {number} [place]   among those that are made at the same time
   * @returns {Entry}
   */
  #newEntry(type, filename, place = 0) {
    return {
      client_id: uuid(),
      user_id: this.client.store.me,
      conversation_id: this.conversationId,
      state: "recording",
      type,
      filename,
      duration_ms: 0,
      levels: [],
      created_at: new Date(Date.now() + place).toISOString(),
    };
  }

  /**
   * Numbers the pieces of one recording as they come; the last one comes after the recorder was let go.
   * @param {string} clientId
   */
  #keepPieces(clientId) {
    let index = 0;
    return (/** @type {Blob} */ piece) => this.client.outbox.addPiece(clientId, index++, piece);
  }

  /** The page may be about to go. */
  #keepNow() {
    if (this.#recorder instanceof Recorder) this.#recorder.flush();
    else if (this.#entry) this.client.recordings.flush(this.#entry.client_id);
  }

  /** @param {number} level */
  #tick(level) {
    const recorder = /** @type {Recorder | LiveRecorder} */ (this.#recorder);
    this.#levels.push(Math.round(level * FULL_SCALE));
    this.#drawMeter();
    this.#clock.textContent = stopwatch(recorder.elapsed_ms);
    this.#warn();
    if (performance.now() - this.#typed > REPEAT_MS) {
      this.#typed = performance.now();
      this.client.socket.send({ type: "typing", kind: "recording", conversation_id: this.conversationId });
    }
  }

  /** The time that is left comes before what is wrong with the microphone. */
  #warn() {
    const left = this.#recorder?.left_ms ?? Infinity;
    const microphone = this.#verdict === "good" ? "" : t(`recorder.${this.#verdict}`);
    const warning = left < WARN_MS ? t("recorder.warning", { count: Math.max(0, Math.ceil(left / 1000)) }) : microphone;
    if (this.#warning.textContent !== warning) this.#warning.textContent = warning;
  }

  /** The newest levels, as many as there is room for, coming in from the right. */
  #drawMeter() {
    const count = Math.max(1, Math.floor(this.#picture.clientWidth / METER_PX));
    const latest = this.#levels.slice(-count);
    this.#picture.setAttribute("viewBox", `0 0 ${count} 32`);
    this.#meter.setAttribute("d", barPath([...new Array(count - latest.length).fill(0), ...latest], count, 32));
  }

  /** The longest time is reached: what was said is sent, never dropped. */
  #limit() {
    this.#finish("queued");
    this.client.notify({ text: t("recorder.limit") });
  }

  #lost() {
    this.#finish("recording");
    this.client.notify({ text: t("recorder.lost"), tone: "error" });
  }

  #togglePause() {
    if (this.#recorder?.paused) this.#recorder.resume();
    else this.#recorder?.pause();
    this.#render();
  }

  /** An open dialog takes the key for itself. */
  #escape() {
    if (this.#mode !== "idle" && !document.querySelector("dialog[open]")) this.#cancel();
  }

  /** Discards, but lets the person take that back. */
  #cancel() {
    if (this.#mode === "starting") {
      this.#recorder?.finish();
      return this.#reset();
    }
    if (this.#entry) this.#drafts.discard(this.#entry.client_id);
    this.#finish("recording");
  }

  /**
   * Ends the recording and hands it to the outbox.
   * @param {"queued" | "recording"} state  `queued`: send it
   */
  async #finish(state) {
    const recorder = this.#recorder;
    const entry = this.#entry;
    if (!recorder || !entry) return;
    this.#reset();
    const recording = await recorder.finish();
    if (!recording) return;
    entry.duration_ms = recording.duration_ms;
    entry.levels = recording.levels;
    entry.state = state;
    this.client.ownLevels.set(entry.client_id, recording.levels);
    const { recordings, outbox } = this.client;
    if ("blob" in recording) return outbox.complete({ ...entry }, recording.blob);
    entry.live = { ...outbox.get(entry.client_id)?.entry.live, live: entry.live?.live ?? false, samples: recording.samples };
    const blob = recordings.blob(entry.client_id);
    if (state === "recording") recordings.rest(entry.client_id);
    await outbox.complete({ ...entry }, blob);
  }

  #reset() {
    const focused = this.contains(document.activeElement);
    this.#recorder = null;
    this.#entry = null;
    this.#mode = "idle";
    this.#typed = -Infinity;
    this.#verdict = "good";
    this.#warning.textContent = "";
    this.#render();
    if (focused && this.isConnected) this.#mic.focus();
  }

  #chosen() {
    const files = [...(this.#file.files ?? [])];
    this.#file.value = "";
    this.attach(files);
  }

  /** Sends files, in this order. What cannot be sent is told at once. @param {File[]} files */
  attach(files) {
    const canSend = this.client.store.conversation(this.conversationId)?.can_send;
    if (canSend && !canSend.voice) return this.client.notify({ text: t(closedReason(canSend.reason)), tone: "error" });
    const most = this.client.config?.max_audio_bytes ?? Infinity;
    for (const [i, file] of files.entries()) {
      const why = !mayBeSound(file) ? "audio_unrecognised" : file.size === 0 ? "audio_empty" : file.size > most ? "audio_too_large" : null;
      if (why) this.client.notify({ text: t("pending.refused", { name: file.name, why: errorText(why) }), tone: "error" });
      else this.client.outbox.attach(this.#newEntry(file.type || "application/octet-stream", file.name, i), file);
    }
  }

  #render() {
    this.dataset.mode = this.#mode;
    const canSend = this.client.store.conversation(this.conversationId)?.can_send;
    if (canSend && !canSend.voice) return fill(this.#bar, h("p", { class: "closed" }, t(closedReason(canSend.reason))));
    if (this.#mode === "idle" || this.#mode === "starting") return this.#renderIdle();
    this.#renderRecording();
  }

  #renderIdle() {
    const attach = h(
      "button",
      { type: "button", class: "quiet attach", "aria-label": t("recorder.attach"), title: t("recorder.attach"), onclick: () => this.#file.click() },
      icon("attach"),
    );
    const hint = t(this.#mode === "starting" ? "recorder.starting" : "recorder.hint");
    const live = this.client.store.conversation(this.conversationId)?.live && this.#packets;
    const label = t(this.#wantsLive ? "recorder.live_on" : "recorder.live_off");
    this.#liveButton.setAttribute("aria-pressed", String(this.#wantsLive));
    this.#liveButton.setAttribute("aria-label", t("recorder.live"));
    this.#liveButton.title = label;
    this.#arrange(attach, h("p", { class: "hint" }, this.#packets ? hint : `${hint} ${t("recorder.not_live")}`), live ? this.#liveButton : null, this.#mic);
  }

  #renderRecording() {
    const held = this.#mode === "held";
    const paused = this.#recorder?.paused ?? false;
    const cancel = h(
      "button",
      { type: "button", class: "quiet cancel", "aria-label": t("recorder.cancel"), title: t("recorder.cancel"), onclick: () => this.#cancel() },
      icon("trash"),
    );
    const send = h("button", { type: "button", class: "send", "aria-label": t("recorder.send"), onclick: () => this.#finish("queued") }, icon("send"));
    fill(this.#pause, icon(paused ? "mic" : "pause"));
    this.#pause.setAttribute("aria-label", t(paused ? "recorder.resume" : "recorder.pause"));
    this.toggleAttribute("data-paused", paused);
    this.#arrange(
      held ? null : cancel,
      h("span", { class: "dot", "aria-hidden": "true" }),
      this.#clock,
      held ? h("p", { class: "hint slide" }, t("recorder.slide")) : this.#picture,
      this.#warning,
      held ? null : this.#pause,
      held ? this.#mic : send,
    );
    if (!held && !this.#bar.contains(document.activeElement)) send.focus();
  }

  /** @param {...(Node | null)} children */
  #arrange(...children) {
    // The button that is being held must stay where it is, or it would lose its pointer.
    const wanted = children.filter((child) => child !== null);
    for (const child of [...this.#bar.childNodes]) if (!wanted.includes(child)) child.remove();
    wanted.forEach((child, i) => {
      if (this.#bar.childNodes[i] !== child) this.#bar.insertBefore(child, this.#bar.childNodes[i] ?? null);
    });
  }
}

/** @param {string | null | undefined} reason */
function closedReason(reason) {
  return reason === "account_deleted" ? "can_send.account_deleted" : "can_send.voice_not_accepted";
}
