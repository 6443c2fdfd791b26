import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, launch } from "./people.js";
import { startServer } from "./server.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;

before(async () => {
  [server, chrome] = await Promise.all([startServer(), launch("numbers.opus")]);
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

test("the reading page shows every call and every error code that the server's own description has", async () => {
  const reader = await Person.arrives(chrome.browser, server.base, "reader");
  const { page } = reader;
  await page.goto(`${server.base}/docs`);
  await page.locator("#schemas").waitFor();
  const api = await page.evaluate(async () => (await fetch("/openapi.json")).json());
  const calls = Object.values(api.paths).flatMap((methods) => Object.keys(/** @type {object} */ (methods)));
  assert.ok(calls.length > 25, `${calls.length} calls`);
  assert.equal(await page.locator("#contents ul li a").count(), calls.length);
  const text = (await page.locator("#reference").textContent()) ?? "";
  for (const path of Object.keys(api.paths)) assert.ok(text.includes(path), path);
  for (const { code } of api["x-error-codes"]) assert.ok(text.includes(code), code);
  const link = page.locator("#contents ul li a").last();
  const target = await link.getAttribute("href");
  await link.click();
  await page.locator(`[id="${target?.slice(1)}"]`).waitFor();
  assert.ok(await page.locator(`[id="${target?.slice(1)}"]`).isVisible());
  await reader.hadNoTrouble();
});
