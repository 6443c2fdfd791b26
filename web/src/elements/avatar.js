import { h } from "../dom.js";
import { hue, initials } from "../format.js";
import { icon } from "../icons.js";

/**
 * A round picture from the letters of a name, in a colour that belongs to the id. The name stands beside it, so readers
 * of the screen skip it.
 * @param {string} name
 * @param {string} id
 * @param {boolean} [group]
 */
export function avatar(name, id, group = false) {
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, group ? icon("group") : initials(name));
  element.style.setProperty("--hue", String(hue(id)));
  return element;
}
