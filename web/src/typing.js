/** @typedef {import("./types.js").User} User */

/** A sign of recording is repeated every 3 s by its sender and believed for 5. */
export const REPEAT_MS = 3000;
const BELIEVED_MS = 5000;

/** Who is recording where, as far as we heard lately. Event `change`: `detail` is the conversation's id. */
export class Typing extends EventTarget {
  /** @type {Map<string, Map<string, { user: User, timer: ReturnType<typeof setTimeout> }>>} */
  #seen = new Map();

  /** @param {string} conversationId @returns {User[]} */
  of(conversationId) {
    return [...(this.#seen.get(conversationId)?.values() ?? [])].map(({ user }) => user);
  }

  /**
   * @param {string} conversationId
   * @param {User} user
   */
  saw(conversationId, user) {
    const here = this.#seen.get(conversationId) ?? new Map();
    clearTimeout(here.get(user.id)?.timer);
    const timer = setTimeout(() => this.ended(conversationId, user.id), BELIEVED_MS);
    here.set(user.id, { user, timer });
    this.#seen.set(conversationId, here);
    this.#tell(conversationId);
  }

  /**
   * @param {string} conversationId
   * @param {string} userId
   */
  ended(conversationId, userId) {
    const here = this.#seen.get(conversationId);
    clearTimeout(here?.get(userId)?.timer);
    if (here?.delete(userId)) this.#tell(conversationId);
  }

  /** @param {string} conversationId */
  #tell(conversationId) {
    this.dispatchEvent(new CustomEvent("change", { detail: conversationId }));
  }
}
