import { ApiError } from "../api.js";
import { sendAtOnce } from "./multipart.js";
import { request } from "./request.js";
import { Resumable } from "./resumable.js";
import { Tus } from "./tus.js";

/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("./outbox.js").Item} Item */
/** @typedef {import("./outbox.js").Hooks} Hooks */

/**
 * A recording up to this size goes in one request, which takes one round trip instead of two: about four minutes of talk. What
 * is larger, and every chosen file, goes resumably.
 */
export const AT_ONCE_BYTES = 1 << 20;

/** @param {Item} item */
export const goesResumably = ({ entry, blob }) => Boolean(entry.attached || entry.upload) || (blob?.size ?? 0) > AT_ONCE_BYTES;

/**
 * How an item of the outbox goes to the server. Resumable uploads go one after the other, so that files arrive in the order in
 * which they were chosen and each has all of the network; a short recording does not wait for them.
 */
export class Delivery {
  #token;
  #tus;
  /** @type {Promise<void>} The end of the last one in the queue. */
  #last = Promise.resolve();

  /** @param {() => string} token */
  constructor(token) {
    this.#token = token;
    this.#tus = new Tus(token, request);
  }

  /**
   * @param {Item} item
   * @param {Hooks} hooks
   * @returns {Promise<Message | { id: string, state: "processing" }>}
   */
  async send(item, hooks) {
    const { entry } = item;
    const blob = /** @type {Blob} */ (item.blob);
    if (goesResumably(item)) return this.#inTurn(hooks, () => this.#sendResumably(entry, blob, hooks));
    return sendAtOnce({
      token: this.#token(),
      conversationId: entry.conversation_id,
      clientId: entry.client_id,
      blob,
      filename: entry.filename,
      onProgress: (bytes) => hooks.sending(Math.min(bytes, blob.size)),
      signal: hooks.signal,
    });
  }

  /** Ends an upload that nobody drives any more. @param {string} url */
  async end(url) {
    await this.#tus.end(url).catch(() => {}); // It expires by itself.
  }

  /**
   * @param {import("./journal.js").Entry} entry
   * @param {Blob} blob
   * @param {Hooks} hooks
   */
  async #sendResumably(entry, blob, hooks) {
    const { conversation_id, client_id, filename, type: filetype } = entry;
    const metadata = { conversation_id, client_id, filename, filetype };
    const upload = new Resumable({ tus: this.#tus, blob, metadata, begun: entry.upload ?? null, hooks, random: Math.random });
    return { id: await upload.run(), state: /** @type {const} */ ("processing") };
  }

  /**
   * @template T
   * @param {Hooks} hooks
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #inTurn({ signal, queued }, work) {
    const before = this.#last;
    /** @type {() => void} */
    let leave = () => {};
    const mine = new Promise((/** @type {(value?: undefined) => void} */ resolve) => (leave = resolve));
    this.#last = before.then(() => mine);
    try {
      queued();
      await Promise.race([before, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      if (signal.aborted) throw new ApiError("cancelled", 0);
      return await work();
    } finally {
      leave();
    }
  }
}
