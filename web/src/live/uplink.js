import { ApiError } from "../api.js";
import { backoff } from "../backoff.js";
import { RateControl } from "./rate.js";

/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("../uploads/journal.js").Entry} Entry */
/**
 * @typedef {object} Line   a connection of one's own to the server
 * @property {(message: object | Uint8Array) => void} send
 * @property {() => void} close
 *
 * @typedef {object} Means
 * @property {(on: { open: () => void, message: (message: any) => void, close: () => void }) => Line} connect
 * @property {(run: () => void, ms: number) => () => void} later   runs it later; gives what calls that off
 * @property {() => number} now
 * @property {() => number} random
 * @property {(messageId: string) => void} opened   the recording is durable at the server under this id
 * @property {(error: ApiError & { packets?: number }) => void} ended   the server takes no more of it
 */

/** Without an answer to `recording.finish` for so long, the connection is taken for dead. */
const SILENCE_MS = 30_000;

/**
 * The way of one recording to the server: connects, sends what is recorded, connects again, and finishes. A repeated
 * `recording.start` with the same `client_id` goes on where the server stands, also for a page that was loaded anew, so no
 * token is kept.
 */
export class Uplink {
  messageId = "";
  #rate = new RateControl();
  /** @type {Line | null} */
  #line = null;
  /** @type {number | null} */
  #handle = null;
  #attempt = 0;
  #acked = 0;
  #sentAt = 0;
  #rtt = 100;
  #allowGaps = false;
  /** @type {(() => void) | null} */
  #retry = null;
  /** @type {{ resolve: (message: Message) => void, reject: (error: Error) => void, silence: () => void } | null} */
  #finishing = null;
  /** @type {ApiError | null} */
  #over = null;
  #closed = false;
  #entry;
  #means;

  /** @param {Entry} entry @param {import("./sender.js").LiveSender} sender @param {Means} means */
  constructor(entry, sender, means) {
    this.#entry = entry;
    this.sender = sender;
    this.#means = means;
  }

  /** What the encoder should be set to. */
  get step() {
    return this.#rate.step;
  }

  open() {
    this.#retry?.();
    this.#retry = null;
    if (this.#line || this.#closed || this.#over) return;
    const { client_id, conversation_id, live } = this.#entry;
    const start = { type: "recording.start", ref: "start", conversation_id, client_id, codec: "opus", channels: 1, pre_skip: 312, frame_ms: 20, live: live?.live ?? false };
    const line = this.#means.connect({
      open: () => {
        this.#sentAt = this.#means.now();
        line.send({ type: "hello" });
        line.send(start);
      },
      message: (message) => line === this.#line && this.#take(message),
      close: () => line === this.#line && this.#lost(),
    });
    this.#line = line;
  }

  /** An encoded packet; returns it as it goes, for the journal. @param {Uint8Array} payload */
  push(payload) {
    const packet = this.sender.push(payload);
    this.#flush();
    return packet;
  }

  /** What its entry says now that it is complete. @param {Entry} entry */
  finishedBy(entry) {
    this.#entry = entry;
  }

  /**
   * All is recorded. Rejects when the server cannot be reached now; may be called again then.
   * @returns {Promise<Message>}
   */
  finish() {
    if (this.#over) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      this.#finishing = { resolve, reject, silence: () => {} };
      this.#listenFor();
      if (this.#handle === null) this.open();
      else this.#sayFinish();
    });
  }

  /** Ends the connection. What the server has stays there. */
  close() {
    this.#closed = true;
    this.#retry?.();
    this.#drop();
    this.#reject(new ApiError("cancelled", 0));
  }

  #sayFinish() {
    this.#flush();
    const { packets } = this.sender.whole;
    const { samples } = this.#entry.live ?? {};
    this.#line?.send({ type: "recording.finish", ref: "finish", handle: this.#handle, packets, allow_gaps: this.#allowGaps, ...(samples ? { samples } : {}) });
  }

  #flush() {
    if (this.#handle === null) return;
    for (let message; (message = this.sender.pollTransmit(this.#handle)); ) this.#line?.send(message);
  }

  /** @param {any} message */
  #take(message) {
    switch (message.type) {
      case "recording.ready":
        this.#handle = message.handle;
        this.messageId = message.message_id;
        this.#attempt = 0;
        this.#rtt = Math.max(1, this.#means.now() - this.#sentAt);
        this.#means.opened(message.message_id);
        this.#allowGaps ||= !this.sender.handleReady(message.next_sequence);
        return this.#finishing ? this.#sayFinish() : this.#flush();
      case "recording.ack":
        if (message.handle !== this.#handle) return;
        this.sender.handleAck(message.sequence);
        this.#acked = message.sequence;
        this.#listenFor();
        return this.#report();
      case "ok":
        if (message.ref !== "finish" || !message.message) return;
        this.#finishing?.silence();
        this.#finishing?.resolve(message.message);
        this.#finishing = null;
        return this.close();
      case "error":
        return this.#refused(message.ref ?? null, message.problem);
    }
  }

  /** @param {string | null} ref @param {any} problem */
  #refused(ref, problem) {
    if (problem.code === "recording_incomplete") {
      this.#allowGaps ||= !this.sender.handleReady(problem.next_sequence ?? 0);
      return this.#sayFinish();
    }
    const error = Object.assign(new ApiError(problem.code, problem.status, problem.detail ?? ""), { packets: problem.packets });
    // A single packet that was not taken shows at the finish.
    if (ref === null && !["conflict", "recording_finished"].includes(problem.code)) return;
    if (error.passing && !this.#finishing) return this.#lost();
    this.#drop();
    if (!error.passing) {
      this.#over = error;
      this.#means.ended(error);
    }
    this.#reject(error);
  }

  #report() {
    const bytes = (this.#acked * this.step.bitrate_bps * this.step.frame_ms) / 8_000;
    this.#rate.handleReport({ now_ms: this.#means.now(), acked_bytes: bytes, backlog_ms: this.sender.backlog_ms, rtt_ms: this.#rtt });
  }

  #lost() {
    this.#drop();
    if (this.#finishing) return this.#reject(new ApiError("network", 0));
    if (this.#closed || this.#over) return;
    this.#retry = this.#means.later(() => this.open(), backoff(this.#attempt, this.#means.random, { most_ms: 5000 }));
    this.#attempt += 1;
  }

  #drop() {
    const line = this.#line;
    this.#line = null;
    this.#handle = null;
    this.sender.handleDisconnect();
    line?.close();
  }

  /** @param {Error} error */
  #reject(error) {
    const finishing = this.#finishing;
    this.#finishing = null;
    finishing?.silence();
    finishing?.reject(error);
  }

  #listenFor() {
    if (!this.#finishing) return;
    this.#finishing.silence();
    this.#finishing.silence = this.#means.later(() => this.#lost(), SILENCE_MS);
  }
}
