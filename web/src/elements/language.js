import { h } from "../dom.js";
import { catalogues, locale, setLocale, t } from "../i18n.js";

/** Languages by their own names. */
export function languageSelect() {
  const select = h(
    "select",
    {
      class: "language",
      "aria-label": t("language.label"),
      onchange: () => {
        setLocale(select.value);
        dispatchEvent(new Event("vx-language"));
      },
    },
    ...Object.keys(catalogues).map((tag) => h("option", { value: tag, lang: tag, selected: tag === locale() }, String(catalogues[tag]["language.name"]))),
  );
  return select;
}
