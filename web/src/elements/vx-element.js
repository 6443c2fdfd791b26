/** @typedef {import("../client.js").Client} Client */

/**
 * What all elements of the page share: the client, set before they are connected, and a scope that ends when they leave
 * the page, so that every listener goes with its element.
 */
export class VxElement extends HTMLElement {
  /** @type {Client} Set by whoever makes the element. */
  // @ts-expect-error set before the element is connected
  client;
  /** @type {AbortController | null} */
  #scope = null;

  connectedCallback() {
    this.#scope = new AbortController();
    this.start(this.#scope.signal);
  }

  disconnectedCallback() {
    this.#scope?.abort();
  }

  /** Builds the content and begins to listen. @param {AbortSignal} _scope */
  start(_scope) {}
}

/**
 * Listens for a CustomEvent as long as the scope lasts.
 * @template T
 * @param {EventTarget} target
 * @param {string} type
 * @param {AbortSignal} signal
 * @param {(detail: T) => void} listener
 */
export function on(target, type, signal, listener) {
  target.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal });
}
