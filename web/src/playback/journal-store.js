import { Database } from "../idb.js";

/** @typedef {import("./machine.js").Journal} Journal */
/**
 * What this browser keeps of a message until the server has confirmed it.
 * @typedef {{ user_id: string, message_id: string, duration_ms: number, journal: Journal }} Kept
 */

const STORE = "journals";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

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
  async get(userId, messageId) {
    const kept = await this.#db.read(STORE, (store) => store.get([userId, messageId]));
    return isWhole(kept) ? kept : undefined;
  }

  /** @param {string} userId @returns {Promise<Kept[]>} */
  async list(userId) {
    const all = await this.#db.read(STORE, (store) => store.getAll(IDBKeyRange.bound([userId, ""], [userId, "\uffff"])));
    return all.filter(isWhole);
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

/**
 * Whether a record is one of ours. Another version of this page may have written it, or a person with the browser's tools: what
 * the server would refuse is not told.
 * @param {any} kept
 * @returns {kept is Kept}
 */
export function isWhole(kept) {
  const { player_id, sequence, base_version, position_ms, speed, moved, heard, ended, at } = kept?.journal ?? {};
  const whole = [sequence, base_version, position_ms, kept?.duration_ms].every((value) => Number.isSafeInteger(value) && value >= 0);
  const intervals = Array.isArray(heard) && heard.every((interval) => Array.isArray(interval) && interval.length === 2 && interval.every(Number.isSafeInteger));
  const flags = typeof moved === "boolean" && typeof ended === "boolean" && Number.isFinite(speed);
  return whole && intervals && flags && UUID.test(player_id) && Number.isFinite(Date.parse(at));
}
