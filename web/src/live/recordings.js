import { ApiError } from "../api.js";
import { openLine } from "./line.js";
import { oggOf } from "./ogg.js";
import { bundle, entries } from "./rtp.js";
import { LiveSender } from "./sender.js";
import { Uplink } from "./uplink.js";

/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("../uploads/journal.js").Entry} Entry */
/** @typedef {import("../uploads/outbox.js").Item} Item */
/** @typedef {import("../uploads/outbox.js").Hooks} Hooks */

/** The journal takes packets in pieces of 200 ms. */
const PIECE_PACKETS = 10;

/** What is kept of a recording: packets one after the other, each behind its length. */
export const PACKETS_TYPE = "application/x-voxpost-packets";

/**
 * @typedef {object} Means
 * @property {() => string} token
 * @property {(clientId: string, index: number, piece: Blob) => void} keep   into the journal
 * @property {(clientId: string, messageId: string) => void} opened
 * @property {(id: string) => Promise<Message>} fetchMessage
 * @property {(id: string) => Promise<unknown>} deleteMessage
 * @property {(entry: Entry, rest: Blob) => void} left   what the server did not take of a recording that it had finished
 */

/**
 * The recordings of this page that go up packet by packet. Each packet is sent at once, and is in the journal a moment later; all
 * of them stay there until the server has answered that the message is there. Event `ended`: `detail` is the client_id of a
 * recording of which the server takes no more.
 */
export class Recordings extends EventTarget {
  /** @type {Map<string, { uplink: Uplink, all: Blob[], piece: Uint8Array[], index: number }>} */
  #running = new Map();
  #means;

  /** @param {Means} means */
  constructor(means) {
    super();
    this.#means = means;
  }

  /** @param {Entry} entry */
  begin(entry) {
    const uplink = this.#uplink(entry, new LiveSender(crypto.getRandomValues(new Uint32Array(1))[0]));
    this.#running.set(entry.client_id, { uplink, all: [], piece: [], index: 0 });
    uplink.open();
  }

  /** @param {string} clientId @param {Uint8Array} payload */
  push(clientId, payload) {
    const running = this.#running.get(clientId);
    if (!running) return;
    running.piece.push(running.uplink.push(payload));
    if (running.piece.length >= PIECE_PACKETS) this.flush(clientId);
  }

  /** Everything into the journal now: the page may be about to go. @param {string} clientId */
  flush(clientId) {
    const running = this.#running.get(clientId);
    if (!running || running.piece.length === 0) return;
    const piece = new Blob([bundle(running.piece)]);
    running.all.push(piece);
    this.#means.keep(clientId, running.index, piece);
    running.index += running.piece.length;
    running.piece = [];
  }

  /** What was recorded so far. @param {string} clientId */
  blob(clientId) {
    this.flush(clientId);
    return new Blob(this.#running.get(clientId)?.all ?? [], { type: PACKETS_TYPE });
  }

  /** What the encoder should be set to. @param {string} clientId */
  step(clientId) {
    return this.#running.get(clientId)?.uplink.step ?? null;
  }

  /** It is not sent now: others must not wait for its end. @param {string} clientId */
  rest(clientId) {
    this.#running.get(clientId)?.uplink.close();
    this.#running.delete(clientId);
  }

  /**
   * Finishes it: with the connection that it was recorded over, or with another one and what the journal held.
   * @param {Item} item
   * @param {Hooks} hooks
   * @returns {Promise<Message>}
   */
  async send({ entry, blob }, { signal }) {
    const { client_id } = entry;
    const held = this.#running.get(client_id)?.uplink;
    const uplink = held ?? this.#uplink(entry, LiveSender.restore(entries(new Uint8Array(await /** @type {Blob} */ (blob).arrayBuffer()))));
    if (!held) this.#running.set(client_id, { uplink, all: [], piece: [], index: uplink.sender.nextSequence });
    uplink.finishedBy(entry);
    const give = () => this.rest(client_id);
    signal.addEventListener("abort", give, { once: true });
    try {
      const message = await uplink.finish();
      this.#running.delete(client_id);
      return message;
    } catch (error) {
      if (error instanceof ApiError && error.code === "recording_finished") return await this.#finishedBefore(entry, uplink, /** @type {any} */ (error).packets);
      throw error;
    } finally {
      signal.removeEventListener("abort", give);
    }
  }

  /** Its maker does not want it. @param {Entry} entry */
  async discard(entry) {
    const id = this.#running.get(entry.client_id)?.uplink.messageId || entry.live?.message_id;
    this.rest(entry.client_id);
    if (id) await this.#means.deleteMessage(id).catch(() => {}); // Without its sender it is a draft, and goes after some days.
  }

  /** The person signed out. */
  leave() {
    for (const clientId of [...this.#running.keys()]) this.rest(clientId);
  }

  /**
   * The server ended it: at its longest time, or after its sender had been away. What it did not take goes as another message.
   * @param {Entry} entry
   * @param {Uplink} uplink
   * @param {number} packets
   */
  async #finishedBefore(entry, uplink, packets) {
    const id = uplink.messageId || entry.live?.message_id;
    if (!id) throw new ApiError("not_found", 404);
    const message = await this.#means.fetchMessage(id);
    const rest = uplink.sender.since(packets);
    this.#running.delete(entry.client_id);
    if (rest.length > 0) this.#means.left(entry, await oggOf(new Blob([bundle(rest)])));
    return message;
  }

  /** @param {Entry} entry @param {LiveSender} sender */
  #uplink(entry, sender) {
    return new Uplink(entry, sender, {
      connect: (on) => openLine(this.#means.token(), on),
      later: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      now: () => performance.now(),
      random: Math.random,
      opened: (messageId) => this.#means.opened(entry.client_id, messageId),
      ended: () => this.dispatchEvent(new CustomEvent("ended", { detail: entry.client_id })),
    });
  }
}
