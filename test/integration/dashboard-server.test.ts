/** The dashboard's port in this process, with a stand-in for the supervisor: what clients may do, and what they may not. */
import { once } from "node:events";
import net from "node:net";
import { array, assert, asyncProperty, constantFrom, json, oneof, option, record, string } from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
// The built one, as it ships: the page's files are beside it.
import { type Dashboard, type DashboardOptions, serveDashboard } from "../../dist/src/control/dashboard/server.js";
import { systemClock } from "../../src/clock.ts";
import { EventFeed } from "../../src/control/event-feed.ts";
import { ROUTES } from "../../src/control/routes.ts";
import { FakeSupervisor } from "../helpers/fake-supervisor-controls.ts";
import { SNAPSHOT } from "../helpers/snapshots.ts";
import { ask, until } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

const TOKEN = "a-token-of-the-tests";
const WITH_TOKEN = { Authorization: `Bearer ${TOKEN}` };
/** What the dashboard has of the control socket. */
const SHARED = ["/v1/status", "/v1/events", "/v1/logs", "/v1/restart", "/v1/scale"];

let target: FakeSupervisor;
let events: EventFeed;
let opened: Dashboard | undefined;

beforeEach(() => {
  events = new EventFeed();
  target = new FakeSupervisor(events);
});
afterEach(() => {
  opened?.close();
  opened = undefined;
});

async function open(options: Partial<DashboardOptions> = {}): Promise<string> {
  opened = await serveDashboard(target, {
    address: "127.0.0.1:0",
    token: TOKEN,
    retryMs: 0,
    events,
    clock: systemClock,
    ...options,
  });
  return opened.url.replace(/\/$/, "");
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

describe("the page", () => {
  it("comes with all its parts, which keep to themselves", async () => {
    const url = await open({ token: undefined });
    const { body, headers, status } = await ask(`${url}/`);
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(body).not.toMatch(/<script>|<style|style="|onclick|https?:\/\//);
    const parts = new Set([...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, part]) => part!));
    const seen = new Set<string>();
    for (const part of parts) {
      const where = new URL(part, `${url}/`);
      if (seen.has(where.pathname)) continue;
      seen.add(where.pathname);
      const answer = await ask(where.href);
      expect([where.pathname, answer.status]).toEqual([where.pathname, 200]);
      for (const [, imported] of answer.body.matchAll(/^import .*"(\.[^"]+)";$/gm))
        parts.add(new URL(imported!, where).pathname);
    }
    expect([...seen].filter((each) => each.endsWith(".js")).length).toBeGreaterThan(15);
    expect((await ask(`${url}/`, { headers: { "If-None-Match": headers.etag! } })).status).toBe(304);
    expect(await ask(`${url}/`, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  it.each([
    "/../../package.json",
    "/control/dashboard/server.js",
    "/%2e%2e/server.js",
    "/index.html",
    "//",
    "/uplot.js/x",
  ])("has nothing at %s", async (path) => {
    const url = await open();
    expect((await ask(`${url}${path}`)).status).toBe(404);
  });
});

describe("routes", () => {
  it("are those of the control socket that the page needs, and call the same methods", async () => {
    const url = await open();
    expect(JSON.parse((await ask(`${url}/v1/status`)).body)).toEqual(SNAPSHOT);
    expect(JSON.parse((await ask(`${url}/v1/history`)).body)).toEqual({
      now: expect.any(Number),
      samples: [],
      events: [],
    });
    const post = { method: "POST", headers: WITH_TOKEN };
    expect((await ask(`${url}/v1/restart`, post)).status).toBe(200);
    expect(await ask(`${url}/v1/scale`, { ...post, body: '{"instances":3}' })).toMatchObject({
      body: '{"instances":3}\n',
    });
    expect(target.calls).toEqual([
      ["restart", "the dashboard"],
      ["scale", 3, "the dashboard"],
    ]);
    expect((await ask(`${url}/v1/scale`, { ...post, body: '{"instances":0}' })).status).toBe(400);
    expect((await ask(`${url}/v1/scale`, { ...post, body: "x".repeat(20_000) })).status).toBe(413);
  });

  it.each(ROUTES.filter(({ path }) => !SHARED.includes(path)))(
    "do not have $method $path, whoever asks",
    async ({ method, path }) => {
      const url = await open();
      expect((await ask(`${url}${path}`, { method, headers: WITH_TOKEN })).status).toBe(404);
      expect(target.calls).toEqual([]);
    },
  );

  it("change nothing without the token, and say what is missing", async () => {
    const url = await open();
    const posts = [
      {},
      { Authorization: "Bearer a-token-of-others---" },
      { ...WITH_TOKEN, Origin: "http://evil.example" },
    ];
    const answers = await Promise.all(posts.map((headers) => ask(`${url}/v1/restart`, { method: "POST", headers })));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 403]);
    expect(answers[0]!.headers["www-authenticate"]).toBe("Bearer");
    // A URL is logged by proxies and kept by browsers.
    expect((await ask(`${url}/v1/restart?token=${TOKEN}`, { method: "POST" })).status).toBe(401);
    expect(JSON.parse((await ask(`${url}/v1/session`)).body)).toEqual({ view: true, change: false, token: "missing" });
    opened!.close();
    const bare = await open({ token: undefined });
    expect((await ask(`${bare}/v1/restart`, { method: "POST", headers: WITH_TOKEN })).status).toBe(403);
    expect(target.calls).toEqual([]);
  });

  it("answer no preflight, and no page that was made to have this address", async () => {
    const url = await open({ token: undefined });
    const preflight = await ask(`${url}/v1/restart`, {
      method: "OPTIONS",
      headers: { Origin: "http://evil.example", "Access-Control-Request-Headers": "authorization" },
    });
    expect([
      preflight.status,
      Object.keys(preflight.headers).filter((name) => name.startsWith("access-control")),
    ]).toEqual([403, []]);
    for (const path of ["/", "/v1/session", "/v1/status"])
      expect((await ask(`${url}${path}`, { headers: { Host: "evil.example" } })).status).toBe(403);
  });

  it("of an address that others reach show nothing without the token, which must be there", async () => {
    await expect(open({ address: "0.0.0.0:0", token: undefined })).rejects.toMatchObject({
      code: "ERR_CHOIR_OPTION",
      message: expect.stringContaining("needs a token"),
    });
    await expect(open({ token: "short" })).rejects.toMatchObject({ message: expect.not.stringContaining("short") });
    expect(events.followers).toBe(0);
    const url = (await open({ address: "0.0.0.0:0" })).replace("0.0.0.0", "127.0.0.1");
    expect((await ask(`${url}/`)).status).toBe(200);
    for (const path of ["/v1/status", "/v1/history", "/v1/logs", "/v1/events"])
      expect((await ask(`${url}${path}`)).status).toBe(401);
    expect((await ask(`${url}/v1/status`, { headers: WITH_TOKEN })).status).toBe(200);
  });
});

/** A client that sends bytes and does as the test says; its socket is paused until it is told to read. */
function connect(url: string, bytes: string): net.Socket {
  const socket = net.connect(portOf(url), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(bytes);
  return socket;
}

describe("clients", () => {
  it("that read nothing are dropped, and hold up nobody", async () => {
    const url = await open();
    const slow = connect(url, "GET /v1/events?snapshots=250 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const closed = once(slow, "close");
    await within(once(slow, "data"), "the head");
    slow.pause();
    for (let sent = 0; sent < 120; sent++) {
      events.emit({ event: "stray-error", error: "x".repeat(100_000), stack: "" });
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Only the history follows: the stream was given up.
    expect(events.followers).toBe(1);
    expect((await ask(`${url}/v1/status`)).status).toBe(200);
    slow.resume();
    await within(closed, "the end of the connection");
  });

  it("that say nothing, or stop halfway, are cut off", async () => {
    const url = await open({ requestTimeout: 200 });
    const post = `POST /v1/scale HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 15\r\n\r\n{"in`;
    for (const bytes of ["GET /v1/sta", post]) {
      const socket = connect(url, bytes);
      socket.resume();
      await within(once(socket, "close"), `the end after ${bytes}`);
    }
    expect(target.calls).toEqual([]);
  });

  it("that wait for a quiet app's log stay, and others that are silent are let go", async () => {
    const url = await open({ silentTimeout: 300 });
    const log = connect(url, "GET /v1/logs?follow=true&lines=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await within(once(log, "data"), "the head");
    const quiet = connect(url, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    quiet.resume();
    await within(once(quiet, "close"), "the end of the silent one");
    target.logs.take([{ bytes: Buffer.from("{}\n"), isError: false, instance: 0, isOwn: false }]);
    const [chunk] = (await within(once(log, "data"), "a line")) as [Buffer];
    expect(chunk.toString()).toContain("{}\n");
    log.destroy();
  });

  it("that stay do not hold up the end", async () => {
    const url = await open();
    const watching = connect(url, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await within(once(watching, "data"), "the head");
    const closed = once(watching, "close");
    opened!.close();
    watching.resume();
    await within(closed, "the end");
    expect(events.followers).toBe(0);
  });
});

describe("whatever is asked", () => {
  const paths = ["/", "/v1/session", "/v1/history", "/uplot.js", ...ROUTES.map(({ path }) => path)];
  const text = oneof(
    string({ unit: "binary", maxLength: 40 }),
    json(),
    constantFrom(
      "instances",
      "token",
      TOKEN,
      "-1",
      "1e9",
      "__proto__",
      "%00",
      "%2e%2e/",
      "..",
      "?",
      "&",
      "=",
      "\\r\\n",
    ),
  );
  const header = oneof(
    text,
    constantFrom("localhost", "127.0.0.1", "[::1]", "null", "http://localhost", "evil.example"),
  );

  it("has an answer, calls nothing without the token, and the next one is answered", async () => {
    const url = await open();
    const requests = record({
      method: constantFrom("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"),
      path: oneof(constantFrom(...paths), text),
      query: option(text, { nil: "" }),
      body: option(oneof(text, json()), { nil: "" }),
      headers: array(
        record({ name: constantFrom("Host", "Origin", "Authorization", "Sec-Fetch-Site", "Accept"), value: header }),
        {
          maxLength: 3,
        },
      ),
    });
    await assert(
      asyncProperty(requests, async ({ method, path, query, body, headers }) => {
        const where = `/${encodeURI(Buffer.from(path).toString()).replace(/^\/+/, "")}?${encodeURIComponent(Buffer.from(query).toString())}`;
        const lines = headers.map(
          ({ name, value }) => `${name}: ${JSON.stringify(value).replaceAll(/[^\x20-\x7E]/g, "")}`,
        );
        const hosts = headers.some(({ name }) => name === "Host") ? [] : ["Host: localhost"];
        const head = [`${method} ${where} HTTP/1.1`, ...hosts, ...lines, `Content-Length: ${Buffer.byteLength(body)}`];
        const socket = connect(url, `${head.join("\r\n")}\r\n\r\n${body}`);
        const [chunk] = (await within(once(socket, "data"), `an answer to ${head.join()}`)) as [Buffer];
        socket.destroy();
        expect(chunk.toString("latin1")).toMatch(/^HTTP\/1\.1 (200|304|400|401|403|404|405|413) /);
      }),
      { numRuns: 300 },
    );
    expect(target.calls).toEqual([]);
    await until(() => events.followers === 1, "the end of all streams");
    expect((await ask(`${url}/v1/status`)).status).toBe(200);
  });
});
