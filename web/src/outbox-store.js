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
  /** @type {Promise<IDBDatabase> | null} */
  #db = null;
  #name;

  /** @param {string} [name] */
  constructor(name = "voxpost") {
    this.#name = name;
  }

  /** @param {Entry} entry */
  async put(entry) {
    await this.#write([ENTRIES], (tx) => tx.objectStore(ENTRIES).put(entry));
  }

  /**
   * @param {string} clientId
   * @param {number} index
   * @param {Blob} blob
   */
  async addPiece(clientId, index, blob) {
    const bytes = await blob.arrayBuffer();
    await this.#write([PIECES], (tx) => tx.objectStore(PIECES).put({ client_id: clientId, index, bytes }));
  }

  /** @param {string} userId @returns {Promise<Entry[]>} oldest first */
  async list(userId) {
    const db = await this.#open();
    const all = await done(db.transaction(ENTRIES).objectStore(ENTRIES).getAll());
    return all
      .filter((/** @type {Entry} */ entry) => entry.user_id === userId)
      .sort((/** @type {Entry} */ a, /** @type {Entry} */ b) => (a.created_at < b.created_at ? -1 : 1));
  }

  /** The sound of an entry. @param {Entry} entry */
  async blob(entry) {
    const db = await this.#open();
    const range = IDBKeyRange.bound([entry.client_id, 0], [entry.client_id, Infinity]);
    const pieces = await done(db.transaction(PIECES).objectStore(PIECES).getAll(range));
    return new Blob(pieces.map((/** @type {{ bytes: ArrayBuffer }} */ { bytes }) => bytes), { type: entry.type });
  }

  /** @param {string} clientId */
  async remove(clientId) {
    await this.#write([ENTRIES, PIECES], (tx) => {
      tx.objectStore(ENTRIES).delete(clientId);
      tx.objectStore(PIECES).delete(IDBKeyRange.bound([clientId, 0], [clientId, Infinity]));
    });
  }

  #open() {
    this.#db ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(ENTRIES, { keyPath: "client_id" });
        request.result.createObjectStore(PIECES, { keyPath: ["client_id", "index"] });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return this.#db;
  }

  /**
   * @param {string[]} stores
   * @param {(tx: IDBTransaction) => void} work
   * @returns {Promise<void>}
   */
  async #write(stores, work) {
    const db = await this.#open();
    const tx = db.transaction(stores, "readwrite", { durability: "strict" });
    work(tx);
    return new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve();
      tx.onerror = tx.onabort = () => reject(tx.error);
    });
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
