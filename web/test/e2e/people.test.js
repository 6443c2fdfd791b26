import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Speaker } from "./listening.js";
import { Person, launch, soundFile } from "./people.js";
import { startServer } from "./server.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;

before(async () => {
  server = await startServer();
  chrome = await launch("numbers.opus", ["--host-resolver-rules=MAP voxpost.test 127.0.0.1"]);
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

const signsUp = (/** @type {string} */ name, options = {}) => Person.signsUp(chrome.browser, server.base, name, options);

test("a Chinese browser gets Chinese, and another choice is remembered", async () => {
  const wei = await Person.arrives(chrome.browser, server.base, "Wei", { locale: "zh-CN" });
  const { page } = wei;
  await page.getByRole("heading", { name: "欢迎回来" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.getByRole("button", { name: "第一次来？创建账号" }).click();
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await wei.hadNoTrouble();
});

test("a wrong password and a name that is taken are told in words", async () => {
  const ana = await signsUp("Ana");
  const eve = await Person.arrives(chrome.browser, server.base, "Eve");
  eve.expects(/status of 40[19]/);
  const { page } = eve;
  await page.locator("input[name=username]").fill(ana.username);
  await page.locator("input[name=password]").fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").getByText("The username or the password is wrong.").waitFor();
  await page.getByRole("button", { name: "New here?" }).click();
  await page.locator("input[name=username]").fill(ana.username);
  await page.locator("input[name=password]").fill("long enough a password");
  await page.getByRole("button", { name: "Sign up", exact: true }).click();
  await page.getByRole("alert").getByText("This username is taken.").waitFor();
  await ana.hadNoTrouble();
  await eve.hadNoTrouble();
});

test("two tabs of one person show the same, and signing out in one signs out the other", async () => {
  const [ana, ben] = [await signsUp("Ana"), await signsUp("Ben")];
  // The other tab may ask the server before it hears from this one.
  ana.expects(/status of 401 .*\/v1\/me|WebSocket connection/);
  await ana.startsWith(ben);
  const tab = await ana.opensTab();
  await tab.locator(".conversations a", { hasText: "Ben" }).click();
  await ana.page.bringToFront();
  await ana.says(700);
  await tab.locator("vx-message.own").waitFor();
  await tab.locator(".profile").click();
  await tab.getByRole("button", { name: "Sign out", exact: true }).click();
  await tab.getByRole("heading", { name: "Welcome back" }).waitFor();
  await ana.page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await ana.signsIn();
  await ana.page.locator("vx-message.own").waitFor();
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a session that is revoked in one window is signed out in the other", async () => {
  const here = await signsUp("Ana");
  const there = await Person.arrives(chrome.browser, server.base, "Ana");
  there.username = here.username;
  there.expects(/status of 401|WebSocket connection/);
  await there.signsIn();
  await here.page.locator(".profile").click();
  await here.page.locator(".sessions li", { hasText: "This device" }).getByText("Chrome · Linux").waitFor();
  const other = here.page.locator(".sessions li", { hasText: "Last used" });
  await other.getByRole("button").click();
  await there.page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await there.page.getByText("You were signed out. Sign in again.").waitFor();
  await other.waitFor({ state: "detached" });
  await here.hadNoTrouble();
  await there.hadNoTrouble();
});

test("a conversation that begins while the list of all is on its way stays", async () => {
  const ana = await Speaker.signsUp(server.base, "Ana");
  const ben = await Person.signsUp(chrome.browser, server.base, "Ben");
  const { page } = ben;
  const line = page.locator(".conversations a", { hasText: "Ana" });
  /** @type {() => void} */
  let letGo = () => {};
  const wait = new Promise((resolve) => (letGo = () => resolve(undefined)));
  /** @type {Promise<void>} */
  const answered = new Promise((resolve, reject) => {
    void page.route("**/v1/conversations?*", async (route) => {
      try {
        const response = await route.fetch();
        assert.deepEqual((await response.json()).items, []);
        resolve();
        await wait;
        await route.fulfill({ response });
      } catch (error) {
        reject(error);
      }
    });
  });
  await page.reload();
  await answered;
  await ana.startsWith(ben);
  await line.waitFor();
  const listed = page.waitForResponse(/conversations\?/);
  letGo();
  await (await listed).finished();
  // Two frames later the page has drawn what came.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await line.count(), 1);
  await ben.opens("Ana");
  await ben.hadNoTrouble();
});

test("a group hears all of its members, is renamed by its owner, and who is removed loses it", async () => {
  const [ana, ben, cleo] = [await signsUp("Ana"), await signsUp("Ben"), await signsUp("Cleo")];
  await ana.startsWith(ben, cleo);
  await ben.opens("Choir");
  await cleo.opens("Choir");
  await ana.says(700);
  for (const person of [ben, cleo]) {
    await person.sees(1);
    await person.page.locator(".sender", { hasText: "Ana" }).waitFor();
  }
  await ana.page.getByRole("button", { name: "Group" }).click();
  const dialog = ana.page.getByRole("dialog");
  await dialog.getByLabel("Group name").fill("Octet");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await ben.page.getByRole("heading", { name: "Octet" }).waitFor();
  await dialog.getByRole("button", { name: "Remove Cleo" }).click();
  await ana.page.getByRole("dialog").last().getByRole("button", { name: "Remove", exact: true }).click();
  await cleo.page.locator(".conversations a").waitFor({ state: "detached" });
  await ben.page.getByText("2 people").waitFor();
  await ben.page.getByRole("button", { name: "Group" }).click();
  await ben.page.getByRole("button", { name: "Leave the group" }).click();
  await ben.page.getByRole("dialog").last().getByRole("button", { name: "Leave the group" }).click();
  await ben.page.locator(".conversations a").waitFor({ state: "detached" });
  for (const person of [ana, ben, cleo]) await person.hadNoTrouble();
});

test("a changed name is seen at the next look, and who takes no voice messages gets none", async () => {
  const [ana, ben] = [await signsUp("Ana"), await signsUp("Ben")];
  await ana.startsWith(ben);
  await ben.page.locator(".profile").click();
  await ben.page.getByLabel("Name", { exact: false }).first().fill("Benedict");
  await ben.page.getByRole("button", { name: "Save" }).click();
  await ben.page.getByText("Saved").waitFor();
  await ben.page.getByLabel("Others may send me voice messages").uncheck();
  await ana.page.getByText("This person does not take voice messages.").waitFor();
  await ana.page.reload();
  await ana.page.getByRole("heading", { name: "Benedict" }).waitFor();
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a changed password signs out the other devices and works at the next sign-in", async () => {
  const ana = await signsUp("Ana");
  const { page } = ana;
  ana.expects(/status of 40[013]/);
  await page.locator(".profile").click();
  await page.getByText("Change password").click();
  await page.locator("input[name=current]").fill("a wrong one");
  await page.locator("input[name=fresh]").fill("another good one");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await page.getByText("The current password is wrong.").waitFor();
  await page.locator("input[name=current]").fill("correct horse battery");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await page.getByText("Password changed.").waitFor();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.locator("input[name=username]").fill(ana.username);
  await page.locator("input[name=password]").fill("another good one");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator("vx-main").waitFor();
  await ana.hadNoTrouble();
});

test("an account that is deleted cannot sign in any more", async () => {
  const ana = await signsUp("Ana");
  const { page } = ana;
  ana.expects(/status of 401/);
  await page.locator(".profile").click();
  await page.getByRole("button", { name: "Delete my account" }).click();
  await page.getByRole("dialog").last().getByRole("button", { name: "Delete my account" }).click();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await page.locator("input[name=username]").fill(ana.username);
  await page.locator("input[name=password]").fill("correct horse battery");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("The username or the password is wrong.").waitFor();
  await ana.hadNoTrouble();
});

test("older messages come in from above while one scrolls, and what is read stays where it is", async () => {
  const [ana, ben] = [await signsUp("Ana"), await signsUp("Ben")];
  await ana.startsWith(ben);
  const id = new URL(ana.page.url()).hash.replace("#/c/", "");
  const { token } = JSON.parse((await ana.page.evaluate(() => localStorage.getItem("voxpost.session"))) ?? "");
  const sound = new Blob([readFileSync(soundFile("numbers.opus"))]);
  const say = async () => {
    const form = new FormData();
    form.append("client_id", crypto.randomUUID());
    form.append("audio", sound, "voice.opus");
    const answer = await fetch(`${server.base}/v1/conversations/${id}/messages`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: form });
    assert.ok(answer.ok, `${answer.status}`);
  };
  for (let i = 0; i < 58; i += 1) await say();
  await ben.opens("Ana");
  await ben.page.waitForFunction(() => document.querySelectorAll("vx-message").length === 50);
  const list = ben.page.locator("vx-message-list");
  assert.ok(await list.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 5), "it begins at the end");
  // Put the first message of the page that is there at the top, and see where it is once the older ones are in.
  const where = await list.evaluate((element) => {
    const first = /** @type {HTMLElement} */ (document.querySelector("vx-message"));
    element.scrollTop += first.getBoundingClientRect().top - element.getBoundingClientRect().top - 20;
    return { id: first.dataset.id, top: first.getBoundingClientRect().top };
  });
  await ben.page.waitForFunction(() => document.querySelectorAll("vx-message").length === 58);
  const now = () => ben.page.locator(`vx-message[data-id="${where.id}"]`).evaluate((element) => element.getBoundingClientRect().top);
  const older = await now();
  assert.ok(Math.abs(older - where.top) < 8, `older ones: ${where.top} → ${older}`);
  await say();
  await ben.page.waitForFunction(() => document.querySelectorAll("vx-message").length === 59);
  const newer = await now();
  assert.ok(Math.abs(newer - where.top) < 8, `a newer one: ${where.top} → ${newer}`);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("over plain http from another machine the page tells how to get the microphone", async () => {
  const base = server.base.replace("127.0.0.1", "voxpost.test");
  const ana = await Person.signsUp(chrome.browser, base, "Ana");
  const ben = await signsUp("Ben");
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);
  await ana.startsWith(ben);
  await ana.page.getByRole("button", { name: "Record a voice message" }).click();
  await ana.page.getByRole("dialog").getByText("--tls self-signed").waitFor();
  await ana.page.getByRole("button", { name: "OK" }).click();
  await ana.page.locator("vx-composer input[type=file]").setInputFiles(chrome.wav);
  await ana.sees(1);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});
