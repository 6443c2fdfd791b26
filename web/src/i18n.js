import en from "../i18n/en.js";
import zhCN from "../i18n/zh-CN.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {Record<string, string | number>} Values */

/** @type {Record<string, Record<Key, string | Record<string, string>>>} */
export const catalogues = { en, "zh-CN": zhCN };

const STORED = "voxpost.locale";

/**
 * The first wanted language that there is a catalogue for: exact, or by its primary part (`zh-Hans-SG` → `zh-CN`).
 * @param {readonly string[]} wanted
 */
export function chooseLocale(wanted) {
  for (const tag of wanted) {
    const exact = Object.keys(catalogues).find((name) => name.toLowerCase() === tag.toLowerCase());
    if (exact) return exact;
    const primary = tag.toLowerCase().split("-")[0];
    const close = Object.keys(catalogues).find((name) => name.toLowerCase().split("-")[0] === primary);
    if (close) return close;
  }
  return "en";
}

/**
 * A text of a catalogue with its `{places}` filled in. A text with plural forms is chosen by `count`.
 * @param {string} locale
 * @param {Key} key
 * @param {Values} [values]
 */
export function translate(locale, key, values = {}) {
  const entry = (catalogues[locale] ?? en)[key];
  const text = typeof entry === "string" ? entry : plural(locale, entry, Number(values.count));
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

/**
 * @param {string} locale
 * @param {Record<string, string>} forms
 * @param {number} count
 */
function plural(locale, forms, count) {
  return forms[new Intl.PluralRules(locale).select(count)] ?? forms.other;
}

let current = "en";

/** Takes the stored language, else the browser's. */
export function startLocale() {
  const stored = localStorage.getItem(STORED);
  setLocale(chooseLocale(stored ? [stored] : navigator.languages), false);
}

/**
 * @param {string} locale
 * @param {boolean} [remember]
 */
export function setLocale(locale, remember = true) {
  current = locale;
  document.documentElement.lang = locale;
  if (remember) localStorage.setItem(STORED, locale);
}

export const locale = () => current;

/**
 * @param {Key} key
 * @param {Values} [values]
 */
export const t = (key, values) => translate(current, key, values);

/**
 * The text for an error code of the server; what it does not know it says plainly.
 * @param {string} code
 */
export function errorText(code) {
  const key = `error.${code}`;
  return key in en ? t(/** @type {Key} */ (key)) : t("error.unknown", { code });
}
