/**
 * Follows one press of a button at a time, wherever the pointer goes.
 *
 * @param {HTMLElement} button
 * @param {AbortSignal} scope
 * @param {object} handlers
 * @param {() => boolean} handlers.down   a press begins; false: not now
 * @param {(px: number) => boolean} handlers.drag   how far to the left it is, as a number ≤ 0; false ends the press
 * @param {(ms: number) => void} handlers.up   it was let go after this time
 * @param {() => void} handlers.lost   the system took the pointer away
 */
export function onPress(button, scope, { down, drag, up, lost }) {
  /** @param {PointerEvent} event */
  const begin = (event) => {
    if (event.button !== 0 || !down()) return;
    event.preventDefault();
    button.focus();
    button.setPointerCapture(event.pointerId);
    const at = performance.now();
    const end = new AbortController();
    const { signal } = end;
    const follow = (/** @type {PointerEvent} */ { clientX }) => {
      if (!drag(Math.min(0, clientX - event.clientX))) end.abort();
    };
    button.addEventListener("pointermove", follow, { signal });
    button.addEventListener("pointerup", () => (end.abort(), up(performance.now() - at)), { signal });
    button.addEventListener("pointercancel", () => (end.abort(), lost()), { signal });
  };
  button.addEventListener("pointerdown", begin, { signal: scope });
  // A long touch would open a menu over the recording.
  button.addEventListener("contextmenu", (event) => event.preventDefault(), { signal: scope });
}
