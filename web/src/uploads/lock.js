/**
 * A lock over the tabs of this browser by the Web Locks API. Where that is missing (plain http) every tab gets its lock:
 * the worst that can come of it is a second upload that the server recognises by its `client_id`.
 * @param {string} clientId
 * @param {boolean} [wait]   for the tab that has it now, until it lets go or ends
 * @returns {Promise<(() => void) | null>}   null when another tab has it
 */
export function tabLock(clientId, wait = false) {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve) => {
    navigator.locks.request(`voxpost.outbox.${clientId}`, { ifAvailable: !wait }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((/** @type {(value?: unknown) => void} */ release) => resolve(() => release()));
    });
  });
}
