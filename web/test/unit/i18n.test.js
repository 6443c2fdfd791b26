import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { catalogues, chooseLocale, translate } from "../../src/i18n.js";
import en from "../../i18n/en.js";

const places = (/** @type {string | Record<string, string>} */ entry) =>
  new Set((typeof entry === "string" ? entry : Object.values(entry).join(" ")).match(/\{\w+\}/g) ?? []);

test("every language has the same keys with the same places to fill in", () => {
  for (const [name, catalogue] of Object.entries(catalogues)) {
    assert.deepEqual(Object.keys(catalogue).sort(), Object.keys(en).sort(), name);
    for (const [key, entry] of Object.entries(en)) {
      const other = catalogue[/** @type {keyof typeof en} */ (key)];
      assert.equal(typeof other, typeof entry, `${name} ${key}`);
      assert.deepEqual(places(other), places(entry), `${name} ${key}`);
    }
  }
});

test("every plural form that a language needs is there", () => {
  for (const [name, catalogue] of Object.entries(catalogues)) {
    const needed = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    for (const [key, entry] of Object.entries(catalogue)) {
      if (typeof entry === "object") assert.deepEqual(Object.keys(entry).sort(), [...needed].sort(), `${name} ${key}`);
    }
  }
});

test("nothing in the table of texts is unused", () => {
  const source = new URL("../../src/", import.meta.url);
  const files = readdirSync(source, { recursive: true }).filter((file) => String(file).endsWith(".js"));
  const text = files.map((file) => readFileSync(new URL(String(file), source), "utf8")).join("\n");
  const unused = Object.keys(en).filter((key) => {
    const [group, name] = key.split(".");
    // Some keys are put together from a group and a state or a code.
    return !text.includes(`"${key}"`) && !text.includes(`\`${group}.\${`) && name !== "name";
  });
  assert.deepEqual(unused, []);
});

test("a browser's language is matched exactly, else by its primary part, else it is English", () => {
  assert.equal(chooseLocale(["zh-CN", "en"]), "zh-CN");
  assert.equal(chooseLocale(["zh-Hans-SG"]), "zh-CN");
  assert.equal(chooseLocale(["fr", "zh"]), "zh-CN");
  assert.equal(chooseLocale(["en-GB", "zh-CN"]), "en");
  assert.equal(chooseLocale(["tlh"]), "en");
  assert.equal(chooseLocale([]), "en");
});

test("a text is filled in and its plural follows the count", () => {
  assert.equal(translate("en", "list.unread", { count: 1 }), "1 unread message");
  assert.equal(translate("en", "list.unread", { count: 2 }), "2 unread messages");
  assert.equal(translate("zh-CN", "list.unread", { count: 1 }), "1 条未读消息");
  assert.equal(translate("xx", "people.talk_to", { name: "{count} $&" }), "Talk to {count} $&");
});
