/** Containers of the same sound, best first, and what a browser calls them. */
const FORMATS = /** @type {const} */ ([
  ["ogg", 'audio/ogg; codecs="opus"'],
  ["webm", 'audio/webm; codecs="opus"'],
  ["mp4", 'audio/mp4; codecs="opus"'],
  ["m4a", 'audio/mp4; codecs="mp4a.40.2"'],
  ["mp3", "audio/mpeg"],
  ["wav", "audio/wav"],
]);

/**
 * The best form that a player says it can play, of those that the server has; the canonical one when none is sure.
 * @param {readonly string[]} offered
 * @param {(type: string) => string} canPlayType
 */
export function chooseFormat(offered, canPlayType) {
  const possible = FORMATS.filter(([name]) => offered.includes(name));
  return (possible.find(([, type]) => canPlayType(type) === "probably") ?? possible.find(([, type]) => canPlayType(type)))?.[0] ?? "ogg";
}
