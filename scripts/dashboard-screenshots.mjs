// Makes docs/dashboard-*.png anew: an app with some traffic, a crash, a rolling restart and one that fails, as Chromium shows them. Takes two
// minutes, since charts need a past. Usage: npm run build && node scripts/dashboard-screenshots.mjs
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const TOKEN = "a-token-for-screenshots";
const temp = mkdtempSync(path.join(tmpdir(), "choir-screenshots-"));
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const lines = [];
const traffic = new AbortController();

const child = spawn(
  process.execPath,
  [
    path.join(root, "test/fixtures/apps/watched.mjs"),
    "-p",
    "0",
    "-j",
    "4",
    "--log-format",
    "json",
    "--dashboard",
    "--dashboard-address",
    "127.0.0.1:0",
    "--canary-time",
    "8s",
  ],
  {
    cwd: temp,
    env: { ...process.env, XDG_RUNTIME_DIR: temp, CHOIR_DASHBOARD_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  },
);
createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));

async function event(name, fields = {}) {
  for (;;) {
    const found = lines.find(
      (line) => line.event === name && Object.entries(fields).every(([key, value]) => line[key] === value),
    );
    if (found !== undefined) return found;
    await delay(50);
  }
}

function get(url, options = { agent: false }) {
  return new Promise((resolve) => {
    const request = http.get(url, options, (response) => response.resume().on("end", resolve).on("error", resolve));
    request.on("error", resolve);
  });
}

/** A client that asks again and again, with pauses. */
async function client(app) {
  while (!traffic.signal.aborted) {
    const dice = Math.random();
    const what = dice < 0.05 ? "slow/40" : dice < 0.3 ? "slow/6" : dice < 0.31 ? "log/info" : "";
    await get(`${app}/${what}`, { agent });
    await delay(5 + Math.random() * (25 + 15 * Math.sin(Date.now() / 15_000)));
  }
}

async function shoot(browser, name, { phone = false, scheme = "dark", url }) {
  const viewport = phone ? { width: 390, height: 1280 } : { width: 1200, height: 1000 };
  const page = await browser.newPage({ viewport, colorScheme: scheme });
  await page.goto(url);
  await page.locator("canvas").nth(3).waitFor();
  await delay(2500);
  await page.screenshot({ path: path.join(root, `docs/dashboard-${name}.png`) });
  await page.close();
}

const browser = await chromium.launch({ executablePath: chromiumFile(), args: ["--disable-dev-shm-usage"] });
try {
  await event("instance-ready", { instance: 3 });
  const { url: app } = await event("instance-ready");
  const { url } = await event("dashboard-listening");
  const steered = `${url}#token=${TOKEN}`;
  const clients = Array.from({ length: 14 }, () => client(app));
  await delay(60_000);
  for (const what of ["log/warn", "error", "crash"]) await get(`${app}/${what}`);
  await delay(12_000);
  child.kill("SIGHUP");
  await event("restart-started");
  await delay(2000);
  await shoot(browser, "light", { scheme: "light", url: steered });
  await event("restart-finished");
  await delay(20_000);
  writeFileSync(path.join(temp, "broken"), "");
  child.kill("SIGHUP");
  await event("restart-finished", { outcome: "failed" });
  await delay(4000);
  await get(`${app}/log/warn`);
  await shoot(browser, "dark", { url: steered });
  await get(`${app}/crash`);
  await shoot(browser, "phone", { phone: true, url });
  traffic.abort();
  await Promise.all(clients);
} finally {
  agent.destroy();
  await browser.close();
  child.kill("SIGTERM");
  await once(child, "exit");
  rmSync(temp, { recursive: true, force: true });
}

function chromiumFile() {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const found = folders.map((folder) => path.join(folder, "chromium")).find(isThere);
  if (found === undefined) throw new Error("chromium is not installed");
  return found;
}

function isThere(file) {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
