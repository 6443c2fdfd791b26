import { svg } from "./dom.js";

/** Paths on a 24 × 24 grid. `fill` ones are solid, the others are strokes. */
const PATHS = {
  attach: { d: "M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.6-7.6" },
  back: { d: "M15 5l-7 7 7 7" },
  check: { d: "M5 12.5l4.5 4.5L19 7.5" },
  checks: { d: "M2 12.5l4.2 4.2L15 8M10.5 15.2l1.6 1.5L21 8" },
  clock: { d: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.2l2.8 1.8" },
  close: { d: "M6 6l12 12M18 6L6 18" },
  file: { d: "M7 3.5h7l4.5 4.5v12.5H7zM14 3.5V8h4.5M11.2 17.2a1.4 1.4 0 1 1-1.4-1.4 1.4 1.4 0 0 1 1.4 1.4V12l3 1" },
  headphones: { d: "M4 15v-3a8 8 0 0 1 16 0v3M4 14.5h3V20H5.6A1.6 1.6 0 0 1 4 18.4zM20 14.5h-3V20h1.4a1.6 1.6 0 0 0 1.6-1.6z" },
  group: { d: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 19.5c.4-3.6 3-5.5 6.5-5.5s6.1 1.9 6.5 5.5M16 4.3a3.5 3.5 0 0 1 0 6.5M18 14.4c2 .7 3.2 2.4 3.5 5.1" },
  live: { d: "M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3M8.1 8.1a5.5 5.5 0 0 0 0 7.8M15.9 8.1a5.5 5.5 0 0 1 0 7.8M5.3 5.3a9.5 9.5 0 0 0 0 13.4M18.7 5.3a9.5 9.5 0 0 1 0 13.4" },
  mic: { d: "M12 3a3 3 0 0 0-3 3v5.5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" },
  pause: { d: "M7 5.5h3.2v13H7zM13.8 5.5H17v13h-3.2z", fill: true },
  pen: { d: "M4 20l1-4.5L15.8 4.7a1.7 1.7 0 0 1 2.4 0l1.1 1.1a1.7 1.7 0 0 1 0 2.4L8.5 19z" },
  people: { d: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20c.5-4 3.5-6 7.5-6s7 2 7.5 6" },
  play: { d: "M8 5.2v13.6a.6.6 0 0 0 .9.5l10.8-6.8a.6.6 0 0 0 0-1L8.9 4.7a.6.6 0 0 0-.9.5z", fill: true },
  plus: { d: "M12 5v14M5 12h14" },
  retry: { d: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4h-4" },
  search: { d: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5L20 20" },
  send: { d: "M4.2 4.8a.6.6 0 0 1 .8-.7l15.3 7.3a.6.6 0 0 1 0 1.1L5 19.9a.6.6 0 0 1-.8-.7l1.7-6.2 6.6-1-6.6-1z", fill: true },
  trash: { d: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10.3 10.5v5.5M13.7 10.5v5.5" },
  wave: { d: "M4 10v4M8 6.5v11M12 3.5v17M16 8v8M20 10.5v3" },
};

/** @typedef {keyof typeof PATHS} IconName */

/** A drawing without a name of its own: the control that bears it is labelled. @param {IconName} name */
export function icon(name) {
  const { d, ...rest } = PATHS[name];
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "fill" in rest ? "icon solid" : "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d }),
  );
}
