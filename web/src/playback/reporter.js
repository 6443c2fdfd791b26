import { ApiError } from "../api.js";

/** @typedef {import("./machine.js").Action} Action */
/** @typedef {import("./machine.js").Journal} Journal */
/** @typedef {import("./machine.js").PlaybackMachine} PlaybackMachine */
/** @typedef {import("./machine.js").Report} Report */
/** @typedef {import("../types.js").PlaybackAnswer} PlaybackAnswer */
/**
 * What a reporter needs from outside.
 * @typedef {object} Means
 * @property {() => number} now
 * @property {() => string} uuid
 * @property {(run: () => void, ms: number) => () => void} schedule      gives what cancels it
 * @property {(report: Report) => Promise<PlaybackAnswer>} send          rejects with an ApiError
 * @property {(journal: Journal, durable: boolean) => Promise<void>} keep
 * @property {() => Promise<void>} forget                                the journal
 * @property {(answer: PlaybackAnswer, report: Report) => void} onAnswer
 * @property {() => void} onGone                                         the message is deleted, or no longer to be seen
 */

/** While it plays, the journal is written this often at most. */
const KEEP_EVERY_MS = 500;

/** Performs what a PlaybackMachine decides: writes its journal before anything else, sends its reports, wakes it in time. */
export class Reporter {
  #machine;
  #means;
  #cancel = () => {};
  #closed = false;
  /** There is a journal in storage, or one on its way there. */
  #kept;
  #keptAt = 0;
  /** The storage's writes, one after the other; what is written is the state at that time. @type {Promise<void>} */
  #writing = Promise.resolve();
  #queued = false;
  #durable = false;

  /**
   * @param {PlaybackMachine} machine
   * @param {boolean} kept  it comes back from a journal
   * @param {Means} means
   */
  constructor(machine, kept, means) {
    this.#machine = machine;
    this.#kept = kept;
    this.#means = means;
  }

  /** Tells what the journal held, if anything. */
  start() {
    this.#poll();
  }

  /** @param {Action} action */
  handle(action) {
    if (this.#closed) return;
    this.#machine.handle(this.#means.now(), action);
    this.#keep(action.action !== "progress");
    this.#poll();
  }

  /** The network is back. */
  online() {
    this.#machine.handleOnline(this.#means.now());
    this.#poll();
  }

  /** Resolves when the journal is written. */
  async close() {
    this.#closed = true;
    this.#cancel();
    await this.#writing;
  }

  /** Another tab has taken the message over: its journal is none of our business any more. */
  abandon() {
    this.#closed = true;
    this.#queued = false;
    this.#cancel();
  }

  #poll() {
    if (this.#closed) return;
    this.#cancel();
    const { now, uuid, schedule } = this.#means;
    const report = this.#machine.pollReport(now(), uuid());
    if (report) this.#send(report);
    const at = this.#machine.pollTimeout();
    if (at !== null) this.#cancel = schedule(() => this.#poll(), Math.max(0, at - now()));
  }

  /** @param {Report} report */
  async #send(report) {
    try {
      const answer = await this.#means.send(report);
      if (this.#closed) return;
      this.#machine.handleAnswer(report.report_id, answer);
      this.#keep(true);
      this.#means.onAnswer(answer, report);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#closed) return;
      // A message that is not ready yet will be, a session that is over is renewed: all else is refused for good.
      if (error.passing || error.code === "conflict" || error.code === "unauthenticated") {
        this.#machine.handleFailure(this.#means.now(), report.report_id);
      } else {
        this.#machine.handleRefusal(report.report_id);
        this.#keep(true);
        if (error.code === "not_found") this.#means.onGone();
      }
    }
    this.#poll();
  }

  /** @param {boolean} atOnce  and to the disk */
  #keep(atOnce) {
    const now = this.#means.now();
    if (!atOnce && Math.abs(now - this.#keptAt) < KEEP_EVERY_MS) return;
    this.#keptAt = now;
    this.#durable ||= atOnce;
    if (this.#queued) return;
    this.#queued = true;
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Without storage (a private window, a full disk) the position is still held in memory, told to the server, and tried again. */
  async #write() {
    if (!this.#queued) return;
    this.#queued = false;
    const durable = this.#durable;
    this.#durable = false;
    const journal = this.#machine.journal(this.#means.now());
    if (journal.moved) {
      this.#kept = true;
      await this.#means.keep(journal, durable).catch(() => {});
    } else if (this.#kept) {
      this.#kept = false;
      await this.#means.forget().catch(() => {});
    }
  }
}
