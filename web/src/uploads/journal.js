import { Database } from "../idb.js";

/**
 * What was made or chosen here and is not yet safely with the server, kept in IndexedDB so that a reload, a crash or an
 * empty battery does not lose it: an entry that says what it is, and its sound in numbered pieces.
 *
 * A piece is whatever its writer appends under the next number: a second of a recorder's file, a mebibyte of a chosen
 * file, a bundle of live packets under the sequence of its first. Who sends pieces one by one trims what the server has
 * acknowledged, and after a crash goes on with `pieces()`. A whole file stays until the server has answered for it, since an
 * unfinished upload may expire there.
 *
 * @typedef {object} Entry
 * @property {string} client_id       names the message for good: every retry carries it
 * @property {string} user_id         whose recording it is
 * @property {string} conversation_id
 * @property {"storing" | "recording" | "queued"} state   `storing` until all of a chosen file is here; `queued` once its
 *   maker said "send"
 * @property {boolean} [attached]     a chosen file, not a recording
 * @property {string} type            MIME type of the sound
 * @property {string} filename
 * @property {number} duration_ms
 * @property {number[]} levels        for the picture until the server's waveform arrives, 0..1024
 * @property {string} created_at
 * @property {Begun | null} [upload]  the upload that was begun for it at the server
 * @property {{ live: boolean, samples?: number, message_id?: string }} [live]  a recording that goes up packet by packet: whether
 *   others hear it meanwhile, its sound at 48 kHz once it is complete, and what the server calls it
 *
 * @typedef {{ url: string, offset: number }} Begun   `offset`: bytes that the server has acknowledged
 */

const ENTRIES = "entries";
const PIECES = "pieces";
/** So much of a chosen file is in memory at once while it is stored. */
const PIECE_BYTES = 1 << 20;
const AT_ONCE = 8;

export class Journal {
  #db;

  /** @param {string} [name] */
  constructor(name = "voxpost") {
    this.#db = new Database(name, (db) => {
      db.createObjectStore(ENTRIES, { keyPath: "client_id" });
      db.createObjectStore(PIECES, { keyPath: ["client_id", "index"] });
    });
  }

  /** On the disk when it resolves. @param {Entry} entry */
  async put(entry) {
    await this.#db.write([ENTRIES], (tx) => tx.objectStore(ENTRIES).put(entry));
  }

  /**
   * Notes something that could be found out again, so it does not wait for the disk. An entry that is gone stays gone.
   * @param {string} clientId
   * @param {Partial<Entry>} change
   */
  async note(clientId, change) {
    /** @param {IDBTransaction} tx */
    const work = (tx) => {
      const store = tx.objectStore(ENTRIES);
      const held = store.get(clientId);
      held.onsuccess = () => held.result && store.put({ ...held.result, ...change });
    };
    await this.#db.write([ENTRIES], work, "relaxed");
  }

  /** @param {string} clientId @returns {Promise<Entry | undefined>} */
  async get(clientId) {
    return this.#db.read(ENTRIES, (store) => store.get(clientId));
  }

  /** @param {string} userId @returns {Promise<Entry[]>} oldest first */
  async list(userId) {
    /** @type {Entry[]} */
    const all = await this.#db.read(ENTRIES, (store) => store.getAll());
    return all.filter((entry) => entry.user_id === userId).sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  }

  /**
   * On the disk when it resolves. The same number again replaces the piece.
   * @param {string} clientId
   * @param {number} index
   * @param {Blob} blob
   */
  async append(clientId, index, blob) {
    const bytes = await blob.arrayBuffer();
    await this.#db.write([PIECES], (tx) => tx.objectStore(PIECES).put({ client_id: clientId, index, bytes }));
  }

  /** All of a file, in pieces of a bounded size. @param {string} clientId @param {Blob} file */
  async appendFile(clientId, file) {
    for (let index = 0; index * PIECE_BYTES < file.size; index += 1) {
      await this.append(clientId, index, file.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES));
    }
  }

  /**
   * The pieces from a number on, in order, a few in memory at a time.
   * @param {string} clientId
   * @param {number} [from]
   * @returns {AsyncGenerator<{ index: number, bytes: ArrayBuffer }>}
   */
  async *pieces(clientId, from = 0) {
    for (let next = from; ; ) {
      /** @type {{ index: number, bytes: ArrayBuffer }[]} */
      const some = await this.#db.read(PIECES, (store) => store.getAll(range(clientId, next), AT_ONCE));
      yield* some;
      if (some.length < AT_ONCE) return;
      next = some[some.length - 1].index + 1;
    }
  }

  /** Forgets the pieces below a number: the server has them. @param {string} clientId @param {number} before */
  async trim(clientId, before) {
    const acknowledged = IDBKeyRange.bound([clientId, 0], [clientId, before], false, true);
    await this.#db.write([PIECES], (tx) => tx.objectStore(PIECES).delete(acknowledged), "relaxed");
  }

  /** All pieces of an entry as one. @param {Entry} entry */
  async blob(entry) {
    /** @type {Blob[]} */
    const parts = [];
    // A browser keeps large blobs outside of the page's memory, and may put them on the disk.
    for await (const { bytes } of this.pieces(entry.client_id)) parts.push(new Blob([bytes]));
    return new Blob(parts, { type: entry.type });
  }

  /** @param {string} clientId */
  async remove(clientId) {
    await this.#db.write([ENTRIES, PIECES], (tx) => {
      tx.objectStore(ENTRIES).delete(clientId);
      tx.objectStore(PIECES).delete(range(clientId, 0));
    });
  }
}

/** @param {string} clientId @param {number} from */
const range = (clientId, from) => IDBKeyRange.bound([clientId, from], [clientId, Infinity]);
