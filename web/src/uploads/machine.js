import { ApiError } from "../api.js";
import { backoff } from "../backoff.js";

/**
 * The rules of one resumable upload (tus 1.0.0), without requests, a clock or randomness of their own: what happened goes
 * in through `handle…`, what to do comes out as a list of effects. resumable.js performs them. At most one request or wait is
 * under way; its outcome is the next thing that comes in.
 *
 * An upload that was begun earlier is asked where it is before anything is sent, and so is one whose request failed: what
 * the server has acknowledged is not sent again. An upload that the server has forgotten is begun anew.
 *
 * @typedef {"receiving" | "ingesting" | "sent" | "failed" | "held"} UploadState
 * @typedef {{ do: "create" }
 *   | { do: "look", url: string }
 *   | { do: "send", url: string, offset: number, length: number }
 *   | { do: "ask", url: string }
 *   | { do: "claim", url: string }
 *   | { do: "delete", url: string }
 *   | { do: "wait", ms: number, error: ApiError | null }
 *   | { do: "remember", begun: import("./journal.js").Begun | null }
 *   | { do: "abort" }
 *   | { do: "done", messageId: string }
 *   | { do: "failed", error: ApiError }
 *   | { do: "ended" }} Effect
 * `look` is HEAD, `ask` is GET, `claim` makes a message of a whole upload; `wait` tells the error that it is for, null when
 * the server is at work; `done`, `failed` and `ended` are the last effect.
 */
export class UploadMachine {
  /** @type {"new" | "creating" | "looking" | "sending" | "asking" | "claiming" | "waiting" | "deleting" | "over"} */
  phase = "new";
  /** Bytes that the server has acknowledged. */
  offset = 0;
  /** @type {string | null} */
  #url;
  #length;
  #chunk;
  #random;
  /** Failures since something last went forward. */
  #attempt = 0;
  /** Looks at a message that is being made. */
  #asked = 0;
  #cancelled = false;
  /** @type {() => Effect[]} What is done after a wait. */
  #next = () => [];

  /**
   * @param {object} what
   * @param {number} what.length         bytes of all of it
   * @param {number} what.chunk_bytes    in one request, at most
   * @param {import("./journal.js").Begun | null} what.begun
   * @param {() => number} what.random   0..1, for the jitter
   */
  constructor({ length, chunk_bytes, begun, random }) {
    this.#length = length;
    this.#chunk = chunk_bytes;
    this.#url = begun?.url ?? null;
    this.offset = begun?.offset ?? 0;
    this.#random = random;
  }

  /** @returns {Effect[]} */
  handleStart() {
    if (this.phase !== "new") return [];
    return this.#url ? this.#look() : this.#create();
  }

  /** There is an upload now. @param {string} url @returns {Effect[]} */
  handleCreated(url) {
    if (this.phase !== "creating") return [];
    this.#url = url;
    this.offset = 0;
    if (this.#cancelled) return this.#delete(url);
    return [{ do: "remember", begun: { url, offset: 0 } }, ...this.#send()];
  }

  /** The server has so many bytes. @param {number} offset @returns {Effect[]} */
  handleOffset(offset) {
    if (this.phase !== "looking") return [];
    return [...this.#acknowledged(offset), ...this.#send()];
  }

  /**
   * A chunk was taken. With the last one comes the message, unless the server is still at work on it.
   * @param {number} offset
   * @param {string | null} messageId
   * @returns {Effect[]}
   */
  handleSent(offset, messageId) {
    if (this.phase !== "sending") return [];
    // A server that takes nothing of a chunk must not be asked again at once.
    if (offset <= this.offset && offset < this.#length) return this.#failed(new ApiError("unavailable", 503));
    const effects = this.#acknowledged(offset);
    if (messageId) return [...effects, ...this.#over({ do: "done", messageId })];
    return [...effects, ...(offset < this.#length ? this.#send() : this.#ask())];
  }

  /**
   * What has become of a whole upload.
   * @param {UploadState} state
   * @param {string | null} messageId
   * @param {string | null} failure   code of the problem
   * @returns {Effect[]}
   */
  handleState(state, messageId, failure) {
    if (this.phase !== "asking") return [];
    switch (state) {
      case "sent":
        return messageId ? this.#over({ do: "done", messageId }) : this.#failed(new ApiError("unavailable", 503));
      case "failed":
        return this.#over({ do: "failed", error: new ApiError(failure ?? "audio_corrupt", 422) });
      case "held":
        this.phase = "claiming";
        return [{ do: "claim", url: this.#here }];
      case "ingesting":
        this.#attempt = 0;
        this.#asked += 1;
        return this.#wait(backoff(this.#asked - 1, this.#random, { most_ms: 5000 }), null, () => this.#send());
      case "receiving":
        return this.#later(new ApiError("upload_offset_mismatch", 409));
    }
  }

  /** A message was made of it, or is being made. @param {string} messageId @returns {Effect[]} */
  handleClaimed(messageId) {
    return this.phase === "claiming" ? this.#over({ do: "done", messageId }) : [];
  }

  /** The request that is under way failed. @param {ApiError} error @returns {Effect[]} */
  handleFailed(error) {
    switch (this.phase) {
      case "new":
      case "waiting":
      case "over":
        return [];
      case "deleting":
        return this.#deleteFailed(error);
      default:
        return this.#cancelled ? this.#over({ do: "ended" }) : this.#failed(error);
    }
  }

  /** The wait is over, or the network came back, or the person does not want to wait. @returns {Effect[]} */
  handleTimer() {
    return this.phase === "waiting" ? this.#next() : [];
  }

  /** The person takes it back. @returns {Effect[]} */
  handleCancel() {
    if (this.phase === "over" || this.#cancelled) return [];
    this.#cancelled = true;
    this.#attempt = 0;
    // Where the new upload is must be known before it can be ended.
    if (this.phase === "creating") return [];
    /** @type {Effect[]} */
    const abort = [{ do: "abort" }];
    return [...abort, ...(this.#url ? this.#delete(this.#url) : this.#over({ do: "ended" }))];
  }

  /** The upload is gone. @returns {Effect[]} */
  handleDeleted() {
    return this.phase === "deleting" ? this.#over({ do: "ended" }) : [];
  }

  get #here() {
    return /** @type {string} */ (this.#url);
  }

  /** @returns {Effect[]} */
  #create() {
    this.phase = "creating";
    return [{ do: "create" }];
  }

  /** @returns {Effect[]} */
  #look() {
    this.phase = "looking";
    return [{ do: "look", url: this.#here }];
  }

  /** @returns {Effect[]} */
  #ask() {
    this.phase = "asking";
    return [{ do: "ask", url: this.#here }];
  }

  /**
   * The next chunk. When all is there an empty one: its answer is that to the last one, which was lost, and a server that has
   * not made the message yet does so.
   * @returns {Effect[]}
   */
  #send() {
    this.phase = "sending";
    const length = Math.max(0, Math.min(this.#chunk, this.#length - this.offset));
    return [{ do: "send", url: this.#here, offset: this.offset, length }];
  }

  /** @param {string} url @returns {Effect[]} */
  #delete(url) {
    this.phase = "deleting";
    return [{ do: "delete", url }];
  }

  /** @param {number} offset @returns {Effect[]} */
  #acknowledged(offset) {
    if (offset > this.offset) this.#attempt = 0;
    if (offset === this.offset) return [];
    this.offset = offset;
    return [{ do: "remember", begun: { url: this.#here, offset } }];
  }

  /** @param {ApiError} error @returns {Effect[]} */
  #failed(error) {
    if (this.phase !== "creating" && (error.status === 404 || error.status === 410)) return this.#lost(error);
    if (error.code === "upload_offset_mismatch" || error.passing) return this.#later(error);
    return this.#over({ do: "failed", error });
  }

  /**
   * The server knows nothing of the upload any more: a new one, at once if the old one had come somewhere.
   * @param {ApiError} error
   * @returns {Effect[]}
   */
  #lost(error) {
    const forward = this.offset > 0;
    this.#url = null;
    this.offset = 0;
    /** @type {Effect[]} */
    const forget = [{ do: "remember", begun: null }];
    return [...forget, ...(forward ? this.#create() : this.#wait(this.#pause(error), error, () => this.#create()))];
  }

  /** The same again, but first asks where it is. @param {ApiError} error @returns {Effect[]} */
  #later(error) {
    const next = this.phase === "creating" ? () => this.#create() : () => this.#look();
    // Another offset than was thought is looked up at once, but not for ever.
    if (error.code === "upload_offset_mismatch" && this.#attempt === 0) {
      this.#attempt = 1;
      return next();
    }
    return this.#wait(this.#pause(error), error, next);
  }

  /** @param {ApiError} error */
  #pause(error) {
    this.#attempt += 1;
    return error.retryAfterMs ?? backoff(this.#attempt - 1, this.#random);
  }

  /**
   * @param {number} ms
   * @param {ApiError | null} error
   * @param {() => Effect[]} next
   * @returns {Effect[]}
   */
  #wait(ms, error, next) {
    this.phase = "waiting";
    this.#next = next;
    return [{ do: "wait", ms, error }];
  }

  /** An upload that cannot be ended now ends by itself when it expires. @param {ApiError} error @returns {Effect[]} */
  #deleteFailed(error) {
    if (!error.passing || this.#attempt >= 4) return this.#over({ do: "ended" });
    return this.#wait(this.#pause(error), null, () => this.#delete(this.#here));
  }

  /** @param {Effect} last @returns {Effect[]} */
  #over(last) {
    this.phase = "over";
    return [last];
  }
}
