// The dashboard in a browser: what a person sees, hears and presses while an app crashes, is restarted and fails to restart. Nothing of the
// page may end in the browser's console as an error: that is also where it says what the page's policy has refused.
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
// The built one, as it ships: the page's files are beside it.
import { type Dashboard, serveDashboard } from "../../dist/src/control/dashboard/server.js";
import { systemClock } from "../../src/clock.ts";
import { EventFeed } from "../../src/control/event-feed.ts";
import { FakeSupervisor } from "../helpers/fake-supervisor-controls.ts";
import { describeWith, findProgram } from "../helpers/programs.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

const TOKEN = "a-token-of-the-tests";
const DESK = { width: 1440, height: 1000 };
const PHONE = { width: 390, height: 844 };

describeWith({ programs: ["chromium"] }, "the dashboard in a browser", () => {
  let browser: Browser;
  let runner: Running;
  let app: string;
  let url: string;
  const contexts: BrowserContext[] = [];
  const complaints: string[] = [];
  const opened: Dashboard[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findProgram("chromium")!, args: ["--disable-dev-shm-usage"] });
    runner = startRunner("watched.mjs", {
      instances: 2,
      args: ["--dashboard", "--dashboard-address", "127.0.0.1:0", "--canary-time", "1s"],
      env: { CHOIR_DASHBOARD_TOKEN: TOKEN },
    });
    app = await runner.ready(2);
    url = (await runner.event("dashboard-listening"))["url"] as string;
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    for (const each of opened.splice(0)) each.close();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await runner?.[Symbol.asyncDispose]();
  });

  async function open(where: string, viewport = DESK): Promise<Page> {
    const context = await browser.newContext({ viewport, colorScheme: "dark" });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(where);
    return page;
  }

  /** A dashboard in this process, with a stand-in for the supervisor. */
  async function serveFake(options: { address?: string; token?: string | undefined } = {}) {
    const events = new EventFeed();
    const target = new FakeSupervisor(events);
    const settings = { address: "127.0.0.1:0", token: undefined, retryMs: 0, events, clock: systemClock, ...options };
    const dashboard = await serveDashboard(target, settings);
    opened.push(dashboard);
    return { dashboard, target, url: dashboard.url.replace("0.0.0.0", "127.0.0.1") };
  }

  const headline = (page: Page, text: string | RegExp): Locator =>
    page.locator("#headline").getByRole("heading", { name: text });
  const button = (page: Page | Locator, name: string): Locator => page.getByRole("button", { name, exact: true });
  const rows = (page: Page): Locator => page.locator("#slots").getByRole("row");

  /** Presses Tab until the element has the focus, as a person without a mouse does. */
  async function tabTo(page: Page, target: Locator): Promise<void> {
    for (let pressed = 0; pressed < 40; pressed++) {
      if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    expect.unreachable(`Tab does not lead to ${String(target)}`);
  }

  it("shows a crash and the respawn as they happen, in the headline, the table, the events and the log", async () => {
    const page = await open(url);
    await headline(page, "All 2 instances are ready").waitFor();
    expect(await page.title()).toBe("shop – All 2 instances are ready");
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("shop");
    await rows(page).nth(1).getByRole("cell", { name: "ready", exact: true }).waitFor();
    await ask(`${app}/crash`).catch(() => {});
    await headline(page, /^Slot \d crashed/).waitFor();
    expect(await page.title()).toMatch(/^[✖▲] shop – Slot \d crashed/);
    const { instance } = await runner.event("instance-exited", { reason: "crashed" });
    await runner.eventCount("instance-ready", 3);
    const row = rows(page).filter({ has: page.getByRole("rowheader", { name: String(instance), exact: true }) });
    await row.getByText(/^crashed \(code 1\)/).waitFor();
    await row.getByRole("cell", { name: "ready", exact: true }).waitFor();
    await page.getByText(/replacement serves/).waitFor();
    await page
      .locator("#activity")
      .getByText(/^Instance \d \(pid \d+\) crashed: exit code 1 after/)
      .waitFor();
    // What a screen reader says by itself.
    await page
      .getByRole("status")
      .getByText(/^Instance \d/)
      .waitFor();
    await page
      .getByRole("log")
      .getByText(/crashed: exit code 1/)
      .waitFor();
    await ask(`${app}/log/warn`);
    await page.getByRole("log").getByText("Order warn by hand").waitFor();
    await page.getByLabel("Text").fill('customer":4711');
    await page.getByText(/^1 of \d+ lines$/).waitFor();
    await page.getByLabel("Level").selectOption("error and above");
    await page.getByText(/^0 of \d+ lines$/).waitFor();
  });

  it("knows what happened before it was opened, and tells a tab that nobody looks at", async () => {
    const page = await open(url);
    await page
      .locator("#activity")
      .getByText(/crashed: exit code 1/)
      .waitFor();
    await page.locator("canvas").nth(3).waitFor();
    // As a browser does it: no frames, and no focus.
    await page.evaluate("Object.defineProperty(document, 'hidden', { value: true }); requestAnimationFrame = () => 0");
    await page.evaluate("document.title = ''");
    await until(async () => (await page.title()).includes("shop – "), "the tab's title");
  });

  it("shows neither its token nor what the app was started with", async () => {
    const paths = ["v1/status", "v1/history", "v1/logs?lines=10000", "v1/session", ""];
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const answers = await Promise.all(paths.map((each) => ask(`${url}${each}`, { headers })));
    const lines = runner.lines.map((line) => JSON.stringify(line));
    const told = [...answers.map(({ body }) => body), ...lines, runner.stderr];
    expect(told.filter((each) => each.includes(TOKEN))).toEqual([]);
    expect(told.filter((each) => /XDG_RUNTIME_DIR|--canary-time|CHOIR_DASHBOARD/.test(each))).toEqual([]);
  });

  it("restarts by keyboard, slot by slot, for who has the token, which leaves the URL at once", async () => {
    const page = await open(`${url}#token=${TOKEN}`);
    await button(page, "Restart").waitFor();
    expect(page.url()).toBe(url);
    const restart = button(page, "Restart").first();
    await tabTo(page, restart);
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Restart shop?" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(runner.events("restart-started")).toEqual([]);
    await page.keyboard.press("Enter");
    await tabTo(page, button(dialog, "Restart"));
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Rolling restart to generation 1" }).waitFor();
    await page.getByText("new one ready, on trial").first().waitFor();
    await page.getByRole("region", { name: "Restarted: 2 slots of generation 1" }).waitFor();
    expect(await runner.event("restart-started")).toMatchObject({ by: "the dashboard" });
    await page.reload();
    await button(page, "Restart").waitFor();
  });

  it("shows why a restart failed, with what the new code wrote", async () => {
    const page = await open(url);
    await headline(page, /./).waitFor();
    const broken = path.join(runner.folder, "broken");
    writeFileSync(broken, "");
    process.kill(runner.pid, "SIGHUP");
    await runner.event("restart-finished", { outcome: "failed" });
    rmSync(broken);
    const region = page.getByRole("region", { name: /^Restart to generation 2 failed and was taken back/ });
    await region.getByText("Migration 42 is missing").waitFor();
    await region.getByText('relation "users" does not exist').waitFor();
    expect(await region.getByText("old, kept").count()).toBe(2);
    await page
      .locator("#headline")
      .getByText(/The last restart failed/)
      .waitFor();
  });

  it("has no buttons without the token, and takes it by hand; then it scales", async () => {
    const page = await open(url);
    await button(page, "Unlock").click();
    expect(await button(page, "Restart").count()).toBe(0);
    const dialog = page.getByRole("dialog", { name: "Token" });
    await dialog.getByLabel("Token").fill("not-the-token-at-all");
    await page.keyboard.press("Enter");
    await dialog.getByRole("alert").getByText("This is not the token").waitFor();
    await dialog.getByLabel("Token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await button(page, "Scale").click();
    const scale = page.getByRole("dialog", { name: "Scale shop" });
    await scale.getByLabel("Instances").fill("3");
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText("Scaled to 3 instances").waitFor();
    await rows(page).nth(2).getByRole("cell", { name: "ready", exact: true }).waitFor();
    expect(await runner.event("scaled")).toMatchObject({ instances: 3, by: "the dashboard" });
  });

  it("only shows where there is no token, and says when nobody answers any more", async () => {
    const { dashboard, target, url: fake } = await serveFake();
    const page = await open(fake);
    await page.getByText("Read-only").waitFor();
    for (const name of ["Restart", "Scale", "Unlock"]) expect(await button(page, name).count()).toBe(0);
    await page.getByText("Live", { exact: true }).waitFor();
    dashboard.close();
    await headline(page, "No connection to the supervisor").waitFor();
    await until(() => complaints.length > 0, "what the browser says of a server that is gone");
    expect(complaints.splice(0).filter((each) => !each.includes("net::ERR"))).toEqual([]);
    expect(target.calls).toEqual([]);
  });

  it("shows nothing before the token is given, where others reach it", async () => {
    const { target, url: fake } = await serveFake({ address: "0.0.0.0:0", token: TOKEN });
    const page = await open(fake);
    const dialog = page.getByRole("dialog", { name: "Token" });
    await dialog.waitFor();
    expect(await rows(page).count()).toBe(0);
    expect(target.asked).toBe(0);
    await dialog.getByLabel("Token").fill(TOKEN);
    await button(dialog, "Unlock").click();
    await rows(page).nth(2).waitFor();
  });

  it("fits a phone, and is a table to a screen reader there too", async () => {
    const { url: fake } = await serveFake();
    const page = await open(fake, PHONE);
    await rows(page).nth(2).waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
    expect(await page.getByRole("table", { name: "Slots" }).getByRole("columnheader").count()).toBe(14);
    expect(await rows(page).getByRole("rowheader").allTextContents()).toEqual(["0", "0", "1"]);
    const small = await page
      .locator("button:visible")
      .evaluateAll((all) => all.filter((each) => each.clientHeight < 40));
    expect(small).toEqual([]);
  });

  it("has a name for everything that can be pressed or read, and colours that can be told apart", async () => {
    const { url: fake } = await serveFake();
    const page = await open(fake);
    await rows(page).nth(2).waitFor();
    const snapshot = await page.locator("body").ariaSnapshot();
    for (const part of [
      "banner",
      "main",
      'heading "Slots"',
      'region "The last 15 minutes"',
      'searchbox "Text"',
      'log "Log lines"',
    ])
      expect(snapshot).toContain(part);
    expect(snapshot).not.toMatch(/- (button|combobox|textbox|searchbox)(:|$)/m);
    expect(await worstContrast(page)).toBeGreaterThan(4.5);
    await button(page, "Colours: as the system has them").click();
    await button(page, "Colours: dark").click();
    await button(page, "Colours: light").waitFor();
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(243, 245, 249)");
    expect(await worstContrast(page)).toBeGreaterThan(4.5);
  });
});

/** The lowest contrast of words on what they stand on (WCAG 2), by the style's variables. */
async function worstContrast(page: Page): Promise<number> {
  const pairs = ["text panel", "text bg", "muted panel", "muted bg", "muted raised", "on-accent accent"];
  for (const tone of ["good", "warn", "bad", "busy"])
    pairs.push(`${tone} panel`, `${tone} ${tone}-bg`, `text ${tone}-bg`);
  const names = [...new Set(pairs.flatMap((pair) => pair.split(" ")))];
  const colours = (await page.evaluate(
    `${JSON.stringify(names)}.map((name) => [name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()])`,
  )) as [string, string][];
  const light = new Map(colours.map(([name, hex]) => [name, luminance(hex)]));
  const contrasts = pairs.map((pair) => {
    const [a = 0, b = 0] = pair
      .split(" ")
      .map((name) => light.get(name)!)
      .toSorted((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
  return Math.min(...contrasts);
}

function luminance(hex: string): number {
  const digits = hex.length === 4 ? hex.slice(1).replaceAll(/./g, "$&$&") : hex.slice(1);
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
