import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, eventually, launch } from "./people.js";
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

const UPLOAD = "**/v1/conversations/*/messages";

const arrive = async () => {
  const { browser } = chrome;
  const [ana, ben] = [await Person.signsUp(browser, server.base, "Ana"), await Person.signsUp(browser, server.base, "Ben")];
  await ana.startsWith(ben);
  await ben.opens("Ana");
  return [ana, ben];
};

/** Their browser has no WebCodecs: recordings go up as files. @param {Person} person */
async function sendsFiles({ context, page }) {
  await context.addInitScript(() => void delete (/** @type {any} */ (globalThis).AudioEncoder));
  await page.reload();
  await page.getByText("not live, and not at once").waitFor();
}

/** Pieces of sound that are in IndexedDB. @param {Person} person */
const storedPieces = ({ page }) =>
  page.evaluate(
    () =>
      new Promise((/** @type {(count: number) => void} */ resolve) => {
        const open = indexedDB.open("voxpost", 1);
        open.onsuccess = () => {
          const count = open.result.transaction("pieces").objectStore("pieces").count();
          count.onsuccess = () => (open.result.close(), resolve(count.result));
        };
      }),
  );

test("a recording that could not be sent is kept, and a retry gives exactly one message", async () => {
  const [ana, ben] = await arrive();
  await sendsFiles(ana);
  ana.expects(/ERR_FAILED/);
  await ana.page.route(UPLOAD, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await ana.says(1200);
  await ana.page.locator("vx-pending[data-status=waiting]").waitFor();
  assert.ok((await storedPieces(ana)) > 0);
  await ana.page.unroute(UPLOAD);
  await ana.page.getByRole("button", { name: "Retry" }).click();
  await ana.sees(1);
  await ben.sees(1);
  assert.equal((await ana.serverMessages()).length, 1);
  assert.equal(await storedPieces(ana), 0, "nothing is left behind");
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("when only the answer is lost, the repeated upload is the same message", async () => {
  const [ana, ben] = await arrive();
  await sendsFiles(ana);
  ana.expects(/ERR_FAILED/);
  let lost = 0;
  await ana.page.route(UPLOAD, async (route) => {
    if (route.request().method() !== "POST" || lost > 1) return route.continue();
    lost += 1;
    const answer = await route.fetch();
    assert.ok(answer.ok(), `the server took it: ${answer.status()}`);
    return route.abort();
  });
  await ana.says(1000);
  await ana.sees(1);
  await ben.sees(1);
  assert.equal(lost, 2);
  assert.equal((await ana.serverMessages()).length, 1);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a page that is reloaded in the middle of a recording offers what was said until then", async () => {
  const [ana, ben] = await arrive();
  await ana.records(2500);
  await eventually(async () => (await storedPieces(ana)) >= 2, "two pieces to be stored");
  await ana.page.reload();
  await ana.page.getByText("You have an unsent recording").first().waitFor();
  assert.equal(await ana.page.locator("vx-message, vx-pending").count(), 0, "nothing is sent unasked");
  await ana.page.locator(".draft").getByRole("button", { name: "Send" }).click();
  await ben.sees(1);
  const [{ duration_ms }] = await ben.serverMessages();
  assert.ok(duration_ms > 1500, `${duration_ms} ms were kept`);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("an unsent recording can be discarded, and stays away", async () => {
  const [ana, ben] = await arrive();
  await ana.records(1500);
  await eventually(async () => (await storedPieces(ana)) >= 1, "a piece to be stored");
  await ana.page.reload();
  await ana.page.locator(".draft").getByRole("button", { name: "Discard" }).click();
  await eventually(async () => (await storedPieces(ana)) === 0, "the storage to be empty");
  await ana.page.reload();
  await ana.page.getByText("Nothing said yet").first().waitFor();
  assert.equal(await ana.page.locator(".draft").count(), 0);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("what was sent without a network goes out by itself when the network is back, also after a reload", async () => {
  const [ana, ben] = await arrive();
  await sendsFiles(ana);
  ana.expects(/ERR_FAILED/);
  await ana.page.route(UPLOAD, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await ana.says(1000);
  await ana.page.locator("vx-pending[data-status=waiting]").waitFor();
  await ana.page.unroute(UPLOAD);
  await ana.page.reload();
  await ben.sees(1);
  await ana.sees(1);
  assert.equal((await ana.serverMessages()).length, 1);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("who was offline is told so, and misses nothing that was said meanwhile", async () => {
  const [ana, ben] = await arrive();
  ben.expects(/ERR_INTERNET_DISCONNECTED/);
  await ben.context.setOffline(true);
  await ben.page.getByText("You are offline").waitFor();
  await ana.says(700);
  await ana.sees(1);
  await ben.context.setOffline(false);
  await ben.sees(1);
  await ben.page.locator(".banner").waitFor({ state: "hidden" });
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("at the longest time a recording is sent, after a warning, and nothing of it is lost", async () => {
  const brief = await startServer([], { VOXPOST_MAX_DURATION_MS: "4000" });
  try {
    const [ana, ben] = [await Person.signsUp(chrome.browser, brief.base, "Ana"), await Person.signsUp(chrome.browser, brief.base, "Ben")];
    await ana.startsWith(ben);
    await ben.opens("Ana");
    await ana.page.getByRole("button", { name: "Record a voice message" }).click();
    await ana.page.getByText("seconds left").waitFor();
    await ana.page.getByText("The longest recording is reached.").waitFor();
    await ben.sees(1);
    const [{ duration_ms }] = await ben.serverMessages();
    assert.ok(duration_ms > 3300 && duration_ms <= 4000, `${duration_ms}`);
    await ana.hadNoTrouble();
    await ben.hadNoTrouble();
  } finally {
    await brief.stop();
  }
});
