/** Turning values into text for people. Everything takes the locale; nothing reads a clock. */

/**
 * Minutes and seconds, as on a player: `0:04`, `12:30`, `1:02:03`.
 * @param {number | null | undefined} ms
 */
export function duration(ms) {
  const total = Math.max(0, Math.round((ms ?? 0) / 1000));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = String(total % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/**
 * The running clock of a recorder: like `duration`, cut down and never rounded up, with tenths.
 * @param {number} ms
 */
export function stopwatch(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  return `${duration(Math.floor(tenths / 10) * 1000)}.${tenths % 10}`;
}

/**
 * @param {string} iso
 * @param {string} locale
 */
export function clock(iso, locale) {
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(new Date(iso));
}

/**
 * A number that is the same for all times of one day where the reader is.
 * @param {Date} date
 */
export function dayNumber(date) {
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000);
}

/**
 * "Today", "Yesterday", "Tuesday", "3 March" or "3 March 2024", seen from `now`.
 * @param {string} iso
 * @param {string} locale
 * @param {Date} now
 */
export function day(iso, locale, now) {
  const date = new Date(iso);
  const ago = dayNumber(now) - dayNumber(date);
  if (ago === 0 || ago === 1) {
    const text = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-ago, "day");
    return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
  }
  if (ago > 1 && ago < 7) return new Intl.DateTimeFormat(locale, { weekday: "long" }).format(date);
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year }).format(date);
}

/**
 * Short form for a list: the time today, the weekday this week, else the date.
 * @param {string} iso
 * @param {string} locale
 * @param {Date} now
 */
export function when(iso, locale, now) {
  const date = new Date(iso);
  const ago = dayNumber(now) - dayNumber(date);
  if (ago <= 0) return clock(iso, locale);
  if (ago < 7) return new Intl.DateTimeFormat(locale, { weekday: "short" }).format(date);
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "numeric", year: "2-digit" }).format(date);
}

/**
 * @param {number} size
 * @param {string} locale
 */
export function bytes(size, locale) {
  const [value, unit] = size < 1_000_000 ? [size / 1000, "kilobyte"] : [size / 1_000_000, "megabyte"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}

/**
 * @param {number} perSecond   bytes
 * @param {string} locale
 */
export function byteRate(perSecond, locale) {
  const [value, unit] = perSecond < 1_000_000 ? [perSecond / 1000, "kilobyte-per-second"] : [perSecond / 1_000_000, "megabyte-per-second"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumSignificantDigits: 2 }).format(value);
}

/**
 * A time that is only guessed, in one unit: `40 sec`, `3 min`, `2 hr`.
 * @param {number} ms
 * @param {string} locale
 */
export function roughTime(ms, locale) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: 0 }).format(value);
}

/**
 * One or two letters that stand for a name on its round picture.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => Array.from(word)[0] ?? "").join("").toLocaleUpperCase();
}

/**
 * A steady hue for an id, so that a person keeps the same colour everywhere.
 * @param {string} id
 */
export function hue(id) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return sum;
}
