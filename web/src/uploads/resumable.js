import { ApiError } from "../api.js";
import { UploadMachine } from "./machine.js";

/** @typedef {import("./machine.js").Effect} Effect */
/** @typedef {import("./outbox.js").Hooks} Hooks */
/** @typedef {import("./tus.js").Tus} Tus */

/** In one request, as the server's contract proposes. A connection that breaks costs less: the server keeps what has come. */
export const CHUNK_BYTES = 5 << 20;

/** Performs what the machine of one upload says. */
export class Resumable {
  #machine;
  #tus;
  #blob;
  #metadata;
  #hooks;
  /** Ends the request that is under way. */
  #controller = new AbortController();
  /** @type {(messageId: string) => void} */
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};
  /** Where the upload is, is kept for the next page. */
  #remembered = Promise.resolve();

  /**
   * @param {object} what
   * @param {Tus} what.tus
   * @param {Blob} what.blob
   * @param {import("./tus.js").Metadata} what.metadata
   * @param {import("./journal.js").Begun | null} what.begun
   * @param {Hooks} what.hooks
   * @param {() => number} what.random
   * @param {number} [what.chunk_bytes]
   */
  constructor({ tus, blob, metadata, begun, hooks, random, chunk_bytes = CHUNK_BYTES }) {
    this.#machine = new UploadMachine({ length: blob.size, chunk_bytes, begun, random });
    this.#tus = tus;
    this.#blob = blob;
    this.#metadata = metadata;
    this.#hooks = hooks;
  }

  /**
   * Gives the id of the message. Rejects with the ApiError that ends it for good; with code `cancelled` when its maker took
   * it back, and `left` when they signed out.
   * @returns {Promise<string>}
   */
  run() {
    const { signal } = this.#hooks;
    return new Promise((resolve, reject) => {
      [this.#resolve, this.#reject] = [resolve, reject];
      signal.addEventListener("abort", () => this.#interrupted(signal.reason), { once: true });
      if (signal.aborted) this.#interrupted(signal.reason);
      else this.#apply(this.#machine.handleStart());
    });
  }

  /** @param {unknown} why */
  #interrupted(why) {
    // The item is gone from the page at once; the server hears of it in the background.
    this.#reject(new ApiError(why === "cancelled" ? "cancelled" : "left", 0));
    if (why === "cancelled") this.#apply(this.#machine.handleCancel());
    else this.#controller.abort();
  }

  /** @param {Effect[]} effects */
  #apply(effects) {
    for (const effect of effects) this.#perform(effect);
  }

  /** @param {Effect} effect */
  #perform(effect) {
    const machine = this.#machine;
    const tus = this.#tus;
    switch (effect.do) {
      case "create":
        this.#hooks.sending(0);
        return this.#outcome((signal) => tus.create(this.#blob.size, this.#metadata, signal), (url) => machine.handleCreated(url));
      case "look":
        this.#hooks.sending(machine.offset);
        return this.#outcome((signal) => tus.look(effect.url, signal), (offset) => machine.handleOffset(offset));
      case "send":
        return this.#outcome((signal) => this.#send(effect, signal), ({ offset, messageId }) => machine.handleSent(offset, messageId));
      case "ask":
        return this.#outcome(
          (signal) => tus.ask(effect.url, signal),
          ({ state, message_id, failure }) => machine.handleState(state, message_id ?? null, failure?.code ?? null),
        );
      case "claim":
        return this.#outcome((signal) => tus.claim(effect.url, this.#metadata, signal), (id) => machine.handleClaimed(id));
      case "delete":
        return this.#outcome(() => tus.end(effect.url), () => machine.handleDeleted());
      case "wait":
        this.#hooks.waiting(effect.error);
        return void this.#hooks.pause(effect.ms).then(() => this.#apply(machine.handleTimer()));
      case "remember":
        this.#remembered = this.#hooks.remember(effect.begun);
        return;
      case "abort":
        this.#controller.abort();
        this.#controller = new AbortController();
        return;
      case "done":
        return this.#resolve(effect.messageId);
      case "failed":
        return this.#reject(effect.error);
      case "ended":
        return;
    }
  }

  /**
   * @param {{ url: string, offset: number, length: number }} chunk
   * @param {AbortSignal} signal
   */
  async #send({ url, offset, length }, signal) {
    this.#hooks.sending(offset);
    const bytes = await this.#blob
      .slice(offset, offset + length)
      .arrayBuffer()
      // The file was changed or removed since it was chosen.
      .catch(() => Promise.reject(new ApiError("file_unreadable", 400)));
    // What is sent to an upload that nobody remembers is sent again.
    await this.#remembered;
    return this.#tus.send(url, offset, bytes, (sent) => this.#hooks.sending(offset + sent), signal);
  }

  /**
   * Tells the machine what a request came to, unless it was ended here.
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} ask
   * @param {(value: T) => Effect[]} tell
   */
  async #outcome(ask, tell) {
    const { signal } = this.#controller;
    /** @type {Effect[]} */
    let effects;
    try {
      const value = await ask(signal);
      if (signal.aborted) return;
      effects = tell(value);
    } catch (error) {
      if (!(error instanceof ApiError)) return this.#reject(error);
      if (signal.aborted) return;
      effects = this.#machine.handleFailed(error);
    }
    this.#apply(effects);
  }
}
