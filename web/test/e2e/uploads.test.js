import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { faultProxy } from "./faults.js";
import { Profile, Speaker, wavFile } from "./listening.js";
import { Person, eventually, launch } from "./people.js";
import { startServer } from "./server.js";

/** @typedef {import("playwright-core").Page} Page */

const MIB = 1 << 20;
/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof faultProxy>>} */
let network;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;
const folder = mkdtempSync(join(tmpdir(), "voxpost-files-"));

/** @param {string} name @param {number} size */
const wav = (name, size) => wavFile(join(folder, name), size);

before(async () => {
  [server, chrome] = await Promise.all([startServer(), launch("numbers.opus")]);
  network = await faultProxy(server.base);
});
after(async () => {
  await chrome?.close();
  await network?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Somebody at a page behind the network that breaks, and somebody to send to. @param {Person} ana */
async function withBen(ana) {
  network.flow();
  network.log.length = 0;
  const ben = await Speaker.signsUp(server.base, "Ben");
  await ben.startsWith(ana);
  await ana.opens("Ben");
  return { ana, ben };
}

const anaAndBen = async (options = {}) => withBen(await Person.signsUp(chrome.browser, network.base, "Ana", options));

/** @param {Page} page @param {string[]} files */
const attach = (page, ...files) => page.locator("vx-composer input[type=file]").setInputFiles(files);

/** The one message that arrived, ready. @param {Person} person */
const arrived = (person) =>
  eventually(async () => {
    const items = await person.serverMessages();
    return items.length > 0 && items.every((/** @type {any} */ { state }) => state === "ready") && items;
  }, "the message");

/** Waits until the network stands still after so many bytes. */
const stalls = () => eventually(async () => network.stalls, "the network to stall");

/** What is in the journal of the page. @param {Page} page @param {"entries" | "pieces"} store */
const journal = (page, store) =>
  page.evaluate(
    (name) =>
      new Promise((/** @type {(items: any[]) => void} */ resolve) => {
        const open = indexedDB.open("voxpost", 1);
        open.onsuccess = () => {
          const all = open.result.transaction(name).objectStore(name).getAll();
          all.onsuccess = () => (open.result.close(), resolve(all.result));
        };
      }),
    store,
  );

test("a large file goes up through stalls, cuts, a reload and a server that is killed, and no acknowledged byte goes twice", async () => {
  const file = wav("twenty.wav", 20 * MIB);
  const { ana } = await anaAndBen();
  ana.expects(/ERR_|WebSocket|50[23]|409/);
  network.stallAfter(3 * MIB);
  await attach(ana.page, file);
  const pending = ana.page.locator("vx-pending");
  await stalls();
  await pending.getByText("twenty.wav").waitFor();
  const bar = ana.page.getByRole("progressbar", { name: "Sending twenty.wav" });
  await bar.waitFor();
  // Cut in the middle of a chunk. Chromium itself may send the chunk again before the page hears of it.
  network.stallAfter(6 * MIB);
  network.cut();
  await stalls();
  const shown = () => bar.evaluate((element) => /** @type {HTMLProgressElement} */ (element).value);
  await eventually(async () => (await shown()) > 0.1, "the progress to be shown");
  // Reload in the middle of another one.
  network.stallAfter(5 * MIB);
  await ana.page.reload();
  await stalls();
  const [{ upload }] = await journal(ana.page, "entries");
  assert.ok(upload.offset >= MIB, `${upload.offset} bytes are known to be there`);
  // The server is killed and comes back.
  await server.crash();
  await pending.getByText("No connection").waitFor();
  network.flow();
  await server.comeBack();
  const [message] = await arrived(ana);
  await ana.sees(1);
  assert.ok(message.duration_ms > 100_000, `${message.duration_ms}`);
  assert.equal(message.sender.display_name, "Ana");
  assert.deepEqual(network.repeated, []);
  assert.ok(network.sound < statSync(file).size + 6 * 5 * MIB, "about a chunk for each fault is sent again");
  assert.deepEqual(await journal(ana.page, "pieces"), [], "nothing is left behind");
  await ana.hadNoTrouble();
});

test("a file goes on after chromium was killed in the middle, from a copy: the original may be gone", async () => {
  const file = wav("killed.wav", 2 * MIB);
  const profile = new Profile();
  try {
    let ana = await profile.opens(network.base, "Ana");
    await ana.signsUp();
    await withBen(ana);
    // Signing in is on the disk once the browser was closed properly.
    await profile.closes(ana);
    ana = await profile.opens(network.base, "Ana");
    await ana.opens("Ben");
    network.stallAfter(MIB);
    await attach(ana.page, file);
    await stalls();
    await profile.isKilled();
    rmSync(file);
    network.flow();
    ana = await profile.opens(network.base, "Ana");
    await ana.opens("Ben");
    const [message] = await arrived(ana);
    assert.ok(message.duration_ms > 10_000, `${message.duration_ms}`);
    await ana.sees(1);
    assert.deepEqual(network.repeated, []);
    assert.equal(network.log.filter(({ method }) => method === "POST").length, 1, "it was the same upload");
    await profile.closes(ana);
  } finally {
    await profile.remove();
  }
});

test("several files go one after the other, in their order; one is cancelled, and leaves nothing at the server", async () => {
  const { ana } = await anaAndBen();
  ana.expects(/ERR_|404/);
  const files = ["one.wav", "two.wav", "three.wav"].map((name, i) => wav(name, (i + 1) * MIB));
  network.stallAfter(MIB / 2);
  await attach(ana.page, ...files);
  await stalls();
  await ana.page.getByText("Waiting for its turn").nth(1).waitFor();
  assert.equal(network.log.length, 2, "one is created and sent");
  await ana.page.getByRole("button", { name: "Cancel sending one.wav" }).click();
  await ana.page.locator("vx-pending").getByText("one.wav").waitFor({ state: "detached" });
  network.flow();
  await ana.sees(2);
  const items = await ana.serverMessages();
  assert.ok(items[0].duration_ms < items[1].duration_ms, "in the order in which they were chosen");
  const [first] = network.log.filter(({ method }) => method === "PATCH");
  await eventually(async () => network.log.some(({ method, path, status }) => method === "DELETE" && path === first.path && status === 204), "the upload to be ended");
  const gone = await fetch(server.base + first.path, { headers: { Authorization: `Bearer ${await token(ana)}` } });
  assert.equal(gone.status, 404);
  assert.deepEqual(await journal(ana.page, "pieces"), []);
  await ana.hadNoTrouble();
});

test("what the server refuses is told with the reason; nothing is sent that cannot be taken", async () => {
  const { ana, ben } = await anaAndBen();
  ana.expects(/415|403/);
  const noise = join(folder, "noise.wav");
  writeFileSync(noise, createHash("sha256").update("noise").digest().toString("hex").repeat(4000));
  await attach(ana.page, noise);
  await ana.page.getByRole("alert").getByText("This is not a sound that we know.").waitFor();
  assert.equal(await ana.page.getByRole("button", { name: "Retry" }).count(), 0);
  // The same after a reload, without the bytes being sent again.
  const { sound } = network;
  await ana.page.reload();
  await ana.page.getByRole("alert").getByText("This is not a sound that we know.").waitFor();
  assert.equal(network.sound, sound);
  await ana.page.getByRole("button", { name: "Discard" }).click();
  await ana.page.locator("vx-pending").waitFor({ state: "detached" });

  // Refused by a person, who changes their mind.
  await ben.changesMe({ accepts_voice: false });
  await ana.page.getByText("This person does not take voice messages.").waitFor();
  await ben.changesMe({ accepts_voice: true });
  const picture = join(folder, "picture.png");
  writeFileSync(picture, "png");
  await ana.page.getByRole("button", { name: "Send audio files" }).waitFor();
  await attach(ana.page, picture);
  await ana.page.getByText("picture.png: This is not a sound that we know.").waitFor();
  assert.equal(await ana.page.locator("vx-pending").count(), 0);
  await ana.hadNoTrouble();
});

test("without a network a file waits, and goes by itself when there is one", async () => {
  const file = wav("offline.wav", MIB);
  const { ana } = await anaAndBen();
  ana.expects(/ERR_INTERNET_DISCONNECTED/);
  await ana.context.setOffline(true);
  await attach(ana.page, file);
  await ana.page.getByText("No connection. It will be sent as soon as there is one.").waitFor();
  await ana.context.setOffline(false);
  await ana.sees(1);
  assert.equal((await arrived(ana)).length, 1);
  await ana.hadNoTrouble();
});

test("two tabs never send the same file twice, and one goes on where the other was closed", async () => {
  const file = wav("tabs.wav", 8 * MIB);
  const { ana } = await anaAndBen();
  network.stallAfter(6 * MIB);
  await attach(ana.page, file);
  await stalls();
  const other = await ana.opensTab();
  await other.locator(".conversations a", { hasText: "Ben" }).click();
  await other.getByText("Nothing said yet").last().waitFor();
  assert.equal(await other.locator("vx-pending").count(), 0, "it is the other tab's");
  await ana.page.close();
  network.flow();
  await other.locator("vx-message").waitFor();
  await eventually(async () => (await journal(other, "entries")).length === 0, "the journal to be empty");
  assert.equal(network.log.filter(({ method }) => method === "POST").length, 1, "it was the same upload");
  assert.deepEqual(network.repeated, []);
  await ana.hadNoTrouble();
});

test("files are taken from the clipboard and by dropping them", async () => {
  const { ana } = await anaAndBen();
  await ana.page.evaluate(async () => {
    const make = (/** @type {string} */ name) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(1000)], name, { type: "audio/wav" }));
      return data;
    };
    const target = /** @type {Element} */ (document.querySelector("vx-conversation"));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: make("pasted.wav"), bubbles: true }));
    target.dispatchEvent(new DragEvent("dragover", { dataTransfer: make("dropped.wav"), bubbles: true, cancelable: true }));
    if (!document.querySelector(".drop")) throw new Error("nothing shows where to drop");
    target.dispatchEvent(new DragEvent("drop", { dataTransfer: make("dropped.wav"), bubbles: true, cancelable: true }));
    if (document.querySelector(".drop")) throw new Error("it still shows where to drop");
  });
  ana.expects(/415/);
  for (const name of ["pasted.wav", "dropped.wav"]) {
    await ana.page.locator("vx-pending[data-status=failed]").getByText(name).waitFor();
  }
  await ana.hadNoTrouble();
});

/** @param {Person} person */
async function token({ page }) {
  const session = await page.evaluate(() => localStorage.getItem("voxpost.session"));
  return JSON.parse(session ?? "{}").token;
}
