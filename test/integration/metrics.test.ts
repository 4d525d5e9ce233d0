// Metrics of real programs: what promtool says of them, that nothing falls when an instance ends, and that nobody who is stuck or hostile
// spoils them for the others.
import { execFile } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { describe, expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { type Running, startRunner } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

function get(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { headers, method, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on("error", reject).end();
  });
}

/** Each sample's value by its name with labels. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1).replace("Inf", "Infinity"))];
    }),
  );
}

/** Names of samples that may never fall. */
function countersOf(text: string): Set<string> {
  const families = [...text.matchAll(/^# TYPE (\S+) (counter|histogram)$/gm)].map(([, name]) => name!);
  const names = [...samplesOf(text).keys()];
  return new Set(names.filter((name) => families.some((family) => name.startsWith(family))));
}

async function start(args: readonly string[] = [], instances = 2) {
  const runner = startRunner("keeps-metrics.mjs", {
    instances,
    args: ["--metrics", "--metrics-address", "127.0.0.1:0", ...args],
  });
  const app = await runner.ready(instances);
  const { url } = (await runner.event("metrics-listening")) as unknown as { url: string };
  return { runner, app, url };
}

/** Scrapes until the samples are as wanted: heartbeats bring what was counted within a second or so. */
async function scrapeUntil(url: string, isThere: (samples: Map<string, number>) => boolean): Promise<string> {
  let text = "";
  const look = async (): Promise<void> => {
    do ({ text } = await get(url));
    while (!isThere(samplesOf(text)));
  };
  await within(look(), () => `the samples in\n${text}`, 20_000);
  return text;
}

function sumOf(samples: Map<string, number>, prefix: string): number {
  return [...samples].filter(([name]) => name.startsWith(prefix)).reduce((sum, [, value]) => sum + value, 0);
}

const ORDERS = 'shop_orders_total{kind="tea"}';
const OK = (slot: number): string => `choir_http_requests_total{instance="${slot}",protocol="1.1",status="2xx"}`;

async function crash(runner: Running, app: string): Promise<void> {
  await get(`${app}/exit`).catch(() => {});
  await runner.event("instance-exited", { reason: "crashed" });
  await runner.eventCount("instance-ready", 3);
}

describe("metrics", () => {
  it("count what was answered, never fall when an instance crashes or a rolling restart replaces all, and have the app's own", async () => {
    const { runner, app, url } = await start(["--canary-time", "0s"]);
    await using _ = runner;
    for (let n = 0; n < 10; n += 1) await get(`${app}/order/tea`);
    await get(`${app}/status/503`);
    const answered = (samples: Map<string, number>): boolean =>
      samples.get(ORDERS) === 10 && (samples.get(OK(0)) ?? 0) + (samples.get(OK(1)) ?? 0) === 10;
    const first = await scrapeUntil(url, answered);
    expect(sumOf(samplesOf(first), "choir_http_request_duration_seconds_count")).toBe(11);
    expect(samplesOf(first).get("shop_hidden_total")).toBe(4);
    expect(samplesOf(first).get("shop_load")).toBe(4);
    expect(samplesOf(first).get("shop_worst")).toBe(1);
    // The app's metric of a name that is Choir's is left out.
    expect(samplesOf(first).get("choir_http_requests_total")).toBeUndefined();
    await crash(runner, app);
    const reason = 'choir_instance_respawns_total{reason="crashed"}';
    const second = await scrapeUntil(url, (samples) => samples.get(reason) === 1);
    process.kill(runner.pid, "SIGHUP");
    await runner.event("restart-finished", { outcome: "done" });
    const done = 'choir_restarts_total{outcome="done"}';
    const third = await scrapeUntil(url, (samples) => samples.get(done) === 1 && samples.get("choir_generation") === 1);
    for (const [before, after] of [
      [first, second],
      [second, third],
    ] as const) {
      const now = samplesOf(after);
      for (const name of countersOf(before))
        expect(now.get(name), name).toBeGreaterThanOrEqual(samplesOf(before).get(name)!);
    }
    const ends = samplesOf(third);
    // Each event is a line.
    expect(ends.get('choir_log_lines_total{level="info"}')).toBeGreaterThanOrEqual(
      runner.events("instance-ready").length,
    );
    expect(ends.get('choir_log_written_bytes_total{sink="console"}')).toBeGreaterThan(1000);
    expect(ends.get('choir_log_lines_lost_total{sink="console"}')).toBe(0);
    // What a process counts in the second before its own end is not lost.
    expect(sumOf(samplesOf(third), "choir_http_request_duration_seconds_count")).toBe(12);
  });

  it("come also when an instance is stuck, whose share is marked as stale and is what it said last", async () => {
    const { runner, app, url } = await start();
    await using _ = runner;
    for (let n = 0; n < 4; n += 1) await get(`${app}/order/tea`);
    await scrapeUntil(url, (samples) => samples.get(ORDERS) === 4);
    const blocked = get(`${app}/block/60000`).catch(() => {});
    const stale = (samples: Map<string, number>): number => sumOf(samples, "choir_instance_stale");
    const text = await scrapeUntil(url, (samples) => stale(samples) === 1);
    expect(samplesOf(text).get(ORDERS)).toBe(4);
    expect(samplesOf(text).get("choir_instances_ready")).toBe(2);
    const pids = runner.events("instance-ready").map(({ pid }) => pid!);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await blocked;
    await runner.eventCount("instance-ready", 4);
    const recovered = await scrapeUntil(url, (samples) => stale(samples) === 0);
    expect(samplesOf(recovered).get(ORDERS)).toBe(4);
  });

  it("of the app are one by one, or left out, as it is asked for", async () => {
    await using runner = (await start(["--app-metrics", "instance"])).runner;
    const url = (await runner.event("metrics-listening"))["url"] as string;
    const samples = samplesOf(await scrapeUntil(url, (each) => sumOf(each, "shop_worst") === 1));
    expect([samples.get('shop_worst{instance="0"}'), samples.get('shop_worst{instance="1"}')]).toEqual([0, 1]);
    await using without = (await start(["--app-metrics", "off"], 1)).runner;
    const { text } = await get((await without.event("metrics-listening"))["url"] as string);
    expect(text).toContain("choir_instances_ready 1");
    expect(text).not.toContain("shop_");
  });

  it("are on no port unless they are asked for, and then to read only, for no other site", async () => {
    await using quiet = startRunner("plain.mjs");
    await quiet.ready(1);
    expect(quiet.events("metrics-listening")).toEqual([]);
    const { runner, url } = await start([], 1);
    await using _ = runner;
    const forms = await Promise.all([
      get(url, { Accept: "application/openmetrics-text; version=1.0.0" }),
      get(url),
      get(url, {}, "HEAD"),
    ]);
    expect(forms.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(forms[0].headers["content-type"]).toContain("openmetrics-text; version=1.0.0");
    expect(forms[0].text.endsWith("# EOF\n")).toBe(true);
    expect(forms[2].text).toBe("");
    expect((await get(url, { Host: "evil.example" })).status).toBe(403);
    expect((await get(url, { Origin: "http://evil.example" })).status).toBe(403);
    expect((await get(url, {}, "POST")).status).toBe(405);
    expect((await get(url.replace("metrics", "v1/stop"), {}, "POST")).status).toBe(404);
    // Neither the environment nor what the app was started with.
    expect(forms[1].text).not.toMatch(/PATH|keeps-metrics\.mjs|XDG/);
  });

  it("hold nobody up who neither asks nor reads", async () => {
    const { runner, url } = await start([], 1);
    await using _ = runner;
    const silent = Array.from({ length: 40 }, () => net.connect(Number(new URL(url).port), "127.0.0.1"));
    for (const socket of silent.slice(20))
      socket.pause().write("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(20));
    for (const socket of silent) socket.on("error", () => {});
    expect((await get(url)).status).toBe(200);
    expect((await runner.stop()).code).toBe(0);
    for (const socket of silent) socket.destroy();
  });

  it.each([
    ["nonsense", 64, "--metrics-address must be an address and a port"],
    ["127.0.0.1:99999", 64, "--metrics-address must be an address and a port"],
    ["192.0.2.1:0", 78, "cannot be listened on"],
  ])("at %s end the start with %i", async (address, code, message) => {
    await using runner = startRunner("plain.mjs", { args: ["--metrics", "--metrics-address", address] });
    expect((await runner.exit()).code).toBe(code);
    expect(runner.stderr).toContain(message);
  });
});

describeWith({ programs: ["promtool"] }, "promtool check metrics", () => {
  it("has nothing to say of a busy app's metrics", async () => {
    const { runner, app, url } = await start();
    await using _ = runner;
    await get(`${app}/order/tea`);
    const text = await scrapeUntil(url, (samples) => samples.get(ORDERS) === 1);
    const said = await new Promise<string>((resolve) => {
      const child = execFile("promtool", ["check", "metrics"], (error, stdout, stderr) => {
        resolve(`${error === null ? "" : error.message}${stdout}${stderr}`);
      });
      child.stdin!.end(text);
    });
    expect(said).toBe("");
  });
});
