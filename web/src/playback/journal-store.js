import { Database } from "../idb.js";

/** @typedef {import("./machine.js").Journal} Journal */
/**
 * What this browser keeps of a message until the server has confirmed it.
 * @typedef {{ user_id: string, message_id: string, duration_ms: number, journal: Journal }} Kept
 */

const STORE = "journals";

/**
 * The journals of all players in this browser, one for each person and message, in IndexedDB. (What a page writes into
 * localStorage is gone when the browser is killed within the next seconds.) A write happens entirely or not at all.
 */
export class JournalStore {
  #db = new Database("voxpost.playback", (db) => db.createObjectStore(STORE, { keyPath: ["user_id", "message_id"] }));

  /**
   * @param {string} userId
   * @param {string} messageId
   * @returns {Promise<Kept | undefined>}
   */
  get(userId, messageId) {
    return this.#db.read(STORE, (store) => store.get([userId, messageId]));
  }

  /** @param {string} userId @returns {Promise<Kept[]>} */
  list(userId) {
    return this.#db.read(STORE, (store) => store.getAll(IDBKeyRange.bound([userId, ""], [userId, "\uffff"])));
  }

  /**
   * @param {Kept} kept
   * @param {boolean} durable  wait for the disk
   */
  put(kept, durable) {
    return this.#db.write([STORE], (tx) => tx.objectStore(STORE).put(kept), durable ? "strict" : "relaxed");
  }

  /**
   * @param {string} userId
   * @param {string} messageId
   */
  remove(userId, messageId) {
    return this.#db.write([STORE], (tx) => tx.objectStore(STORE).delete([userId, messageId]), "relaxed");
  }
}
