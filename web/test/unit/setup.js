// Debian 12 has Node 18, which has no CustomEvent; browsers do.
globalThis.CustomEvent ??= /** @type {any} */ (
  class extends Event {
    /** @param {string} type @param {CustomEventInit} [init] */
    constructor(type, init) {
      super(type, init);
      this.detail = init?.detail ?? null;
    }
  }
);
