import { Database } from "./idb.js";

/**
 * Recordings on their way, kept in IndexedDB so that a reload, a crash or an empty battery does not lose them. The sound
 * is stored in pieces as it is recorded.
 *
 * @typedef {object} Entry
 * @property {string} client_id       names the message for good: every retry carries it
 * @property {string} user_id         whose recording it is
 * @property {string} conversation_id
 * @property {"recording" | "queued"} state   `queued` once its maker said "send"
 * @property {string} type            MIME type of the sound
 * @property {string} filename
 * @property {number} duration_ms
 * @property {number[]} levels        for the picture until the server's waveform arrives, 0..1024
 * @property {string} created_at
 */

const ENTRIES = "entries";
const PIECES = "pieces";

export class OutboxStore {
  #db;

  /** @param {string} [name] */
  constructor(name = "voxpost") {
    this.#db = new Database(name, (db) => {
      db.createObjectStore(ENTRIES, { keyPath: "client_id" });
      db.createObjectStore(PIECES, { keyPath: ["client_id", "index"] });
    });
  }

  /** @param {Entry} entry */
  async put(entry) {
    await this.#db.write([ENTRIES], (tx) => tx.objectStore(ENTRIES).put(entry));
  }

  /**
   * @param {string} clientId
   * @param {number} index
   * @param {Blob} blob
   */
  async addPiece(clientId, index, blob) {
    const bytes = await blob.arrayBuffer();
    await this.#db.write([PIECES], (tx) => tx.objectStore(PIECES).put({ client_id: clientId, index, bytes }));
  }

  /** @param {string} userId @returns {Promise<Entry[]>} oldest first */
  async list(userId) {
    /** @type {Entry[]} */
    const all = await this.#db.read(ENTRIES, (store) => store.getAll());
    return all.filter((entry) => entry.user_id === userId).sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  }

  /** The sound of an entry. @param {Entry} entry */
  async blob(entry) {
    /** @type {{ bytes: ArrayBuffer }[]} */
    const pieces = await this.#db.read(PIECES, (store) => store.getAll(allOf(entry.client_id)));
    return new Blob(pieces.map(({ bytes }) => bytes), { type: entry.type });
  }

  /** @param {string} clientId */
  async remove(clientId) {
    await this.#db.write([ENTRIES, PIECES], (tx) => {
      tx.objectStore(ENTRIES).delete(clientId);
      tx.objectStore(PIECES).delete(allOf(clientId));
    });
  }
}

/** @param {string} clientId */
const allOf = (clientId) => IDBKeyRange.bound([clientId, 0], [clientId, Infinity]);
