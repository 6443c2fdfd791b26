import { h } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../i18n.js";

/**
 * "Continue at 2:13 from your phone?": two devices moved the playhead, and the person knows which one counts.
 * @param {import("../playback/player.js").Player} player
 * @param {import("../types.js").Message} message
 * @param {number} positionMs
 * @param {string | null} device  its name, where it has one
 * @param {() => void} onDecided
 */
export function continueOffer(player, message, positionMs, device, onDecided) {
  const position = duration(positionMs);
  const decide = (/** @type {() => void} */ run) => () => {
    onDecided();
    run();
  };
  return h(
    "p",
    {},
    h("span", {}, device ? t("player.offer_from", { position, device }) : t("player.offer", { position })),
    h("button", { type: "button", class: "link", onclick: decide(() => player.acceptOffer(message)) }, t("player.offer_accept")),
    h("button", { type: "button", class: "link", onclick: decide(() => player.dismissOffer(message)) }, t("player.offer_dismiss")),
  );
}
