/** One IndexedDB database, opened at its first use. */
export class Database {
  /** @type {Promise<IDBDatabase> | null} */
  #db = null;
  #name;
  #create;

  /**
   * @param {string} name
   * @param {(db: IDBDatabase) => void} create  makes the object stores of version 1
   */
  constructor(name, create) {
    this.#name = name;
    this.#create = create;
  }

  /**
   * Resolves when the transaction is complete. `strict` waits for the disk; `relaxed` survives the browser, not the power.
   * @param {string[]} stores
   * @param {(tx: IDBTransaction) => void} work
   * @param {IDBTransactionDurability} [durability]
   * @returns {Promise<void>}
   */
  async write(stores, work, durability = "strict") {
    const tx = (await this.#open()).transaction(stores, "readwrite", { durability });
    work(tx);
    return new Promise((resolve, reject) => {
      tx.oncomplete = () => resolve();
      tx.onerror = tx.onabort = () => reject(tx.error);
    });
  }

  /**
   * @template T
   * @param {string} store
   * @param {(store: IDBObjectStore) => IDBRequest<T>} ask
   * @returns {Promise<T>}
   */
  async read(store, ask) {
    const request = ask((await this.#open()).transaction(store).objectStore(store));
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  #open() {
    this.#db ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => this.#create(request.result);
      request.onsuccess = () => {
        // The browser may take it away (the person clears the site's data): the next use opens it anew.
        request.result.onclose = () => (this.#db = null);
        resolve(request.result);
      };
      request.onerror = () => {
        this.#db = null;
        reject(request.error);
      };
    });
    return this.#db;
  }
}
