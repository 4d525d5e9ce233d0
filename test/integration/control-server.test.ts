/** The control socket in this process, with a stand-in for the supervisor: what clients may do, and what they may not. */
import { once } from "node:events";
import { chmodSync, existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import http, { type RequestOptions } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { array, assert, asyncProperty, constantFrom, json, oneof, option, record, string } from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askForStatus, callControl } from "../../src/control/client.ts";
import { Control, type ControlSetup } from "../../src/control/control.ts";
import { EventFeed } from "../../src/control/event-feed.ts";
import { ROUTES } from "../../src/control/routes.ts";
import { ControlServer } from "../../src/control/server.ts";
import { ChoirError } from "../../src/errors.ts";
import type { Segment } from "../../src/logs/encode/segment.ts";
import { systemClock } from "../../src/clock.ts";
import type { ChoirEvent } from "../../src/events.ts";
import type { RestartResult } from "../../src/supervisor/snapshot.ts";
import { chunks, DONE, FakeSupervisor } from "../helpers/fake-supervisor-controls.ts";
import { ask } from "../helpers/start-runner.ts";
import { SNAPSHOT } from "../helpers/snapshots.ts";
import { within } from "../helpers/within.ts";

const SCALED: ChoirEvent = { event: "scaled", instances: 3, was: 2, by: "x" };

let temp: string;
let file: string;
let target: FakeSupervisor;
let events: EventFeed;
const opened: { close(): Promise<void> }[] = [];

beforeEach(() => {
  temp = mkdtempSync(path.join(tmpdir(), "choir-ctl-"));
  file = path.join(temp, "app.sock");
  events = new EventFeed();
  target = new FakeSupervisor(events);
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
  rmSync(temp, { recursive: true, force: true });
});

async function open(options: { requestTimeout?: number; closeTimeout?: number } = {}): Promise<ControlServer> {
  const server = new ControlServer(target, { events, ...options });
  opened.push(server);
  await server.listen(file);
  return server;
}

function request(url: string, options: RequestOptions & { body?: string } = {}) {
  return ask(`http://localhost${url}`, { socketPath: file, ...options });
}

/** Sends bytes on a connection of their own; resolved with all that came back when the other side has closed it. */
async function exchange(bytes: string | Buffer): Promise<string> {
  const socket = net.connect(file);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await within(once(socket, "close"), () => `the end of the connection; got ${text}`);
  return text;
}

describe("routes", () => {
  it("call one method each", async () => {
    await open();
    expect(JSON.parse((await request("/v1/status")).body)).toEqual(SNAPSHOT);
    expect(JSON.parse((await request("/v1/restart", { method: "POST" })).body)).toEqual(DONE);
    expect(await request("/v1/scale", { method: "POST", body: '{"instances":3}' })).toMatchObject({
      status: 200,
      body: '{"instances":3}\n',
    });
    const headers = { "User-Agent": "choir/1" };
    expect(await request("/v1/stop", { method: "POST", headers })).toMatchObject({ status: 202, body: "{}\n" });
    const anybody = "a request on the control socket";
    expect(target.calls).toEqual([
      ["restart", anybody],
      ["scale", 3, anybody],
      ["stop", "choir stop"],
    ]);
  });

  it.each([
    { ask: "GET /", status: 404, message: "/v1/status" },
    { ask: "GET /v1/status/", status: 404, message: "Nothing is at" },
    { ask: "POST /v1/status", status: 405, message: "takes GET, got POST" },
    { ask: "GET /v1/stop", status: 405, message: "takes POST, got GET" },
    { ask: "POST /v1/scale", body: "{", status: 400, message: "is not JSON" },
    { ask: "POST /v1/publish", status: 400, message: "Topic must be a string" },
    {
      ask: "POST /v1/publish",
      body: '{"topic":"a.*","value":1}',
      status: 400,
      message: "which is for subscriptions only",
    },
    { ask: "POST /v1/publish", body: '{"topic":"a"}', status: 400, message: '"value" is missing' },
    { ask: "POST /v1/publish", body: '{"topic":"a","value":1,"retain":1}', status: 400, message: '"retain" must be' },
    {
      ask: "POST /v1/publish",
      body: `{"topic":"a","value":"${"x".repeat(1_100_000)}"}`,
      status: 400,
      message: "1100002 bytes",
    },
    {
      ask: "POST /v1/publish",
      body: `{"topic":"a","value":"${"x".repeat(3_000_000)}"}`,
      status: 413,
      message: "2097152",
    },
    { ask: "POST /v1/subscribe", body: '{"topic":"a..b"}', status: 400, message: "has an empty token" },
    { ask: "POST /v1/subscribe", body: '{"topic":"a","x":1}', status: 400, message: 'Unknown field "x"' },
    { ask: "GET /v1/events?snapshots=1", status: 400, message: '"snapshots" must be a whole number from 250' },
    { ask: "GET /v1/events?snapshots=x", status: 400, message: 'got "x"' },
    { ask: "GET /v1/events?token=1", status: 400, message: 'Unknown parameter "token"' },
    { ask: "GET /v1/logs?lines=-1", status: 400, message: '"lines" must be' },
    { ask: "GET /v1/logs?lines=1&lines=2", status: 400, message: "more than once" },
    { ask: "GET /v1/logs?follow=yes", status: 400, message: '"follow" must be true or false' },
    { ask: "POST /v1/log-level", body: '{"level":"loud"}', status: 400, message: '"level" must be one of trace,' },
    { ask: "POST /v1/profile", body: '{"instance":"0","kind":"cpu"}', status: 400, message: '"instance" must be' },
    { ask: "POST /v1/profile", body: '{"instance":0}', status: 400, message: '"kind" must be "cpu" or "heap"' },
    {
      ask: "POST /v1/profile",
      body: '{"instance":0,"kind":"cpu","seconds":1e4}',
      status: 400,
      message: '"seconds" must be a whole number from 1 to 300',
    },
    {
      ask: "POST /v1/profile",
      body: '{"instance":0,"kind":"heap","seconds":1}',
      status: 400,
      message: '"seconds" is for a CPU profile',
    },
    { ask: "POST /v1/scale", body: "[]", status: 400, message: "must be a JSON object, got an array" },
    { ask: "POST /v1/scale", body: "null", status: 400, message: "must be a JSON object" },
    { ask: "POST /v1/scale", status: 400, message: '"instances" must be a whole number from 1 to 1024, got undefined' },
    { ask: "POST /v1/scale", body: '{"instances":"3"}', status: 400, message: 'got "3"' },
    { ask: "POST /v1/scale", body: '{"instances":0}', status: 400, message: "got 0" },
    { ask: "POST /v1/scale", body: '{"instances":1.5}', status: 400, message: "got 1.5" },
    { ask: "POST /v1/scale", body: '{"instances":1e9}', status: 400, message: "got 1000000000" },
    { ask: "POST /v1/scale", body: '{"instances":2,"force":true}', status: 400, message: 'Unknown field "force"' },
    { ask: "POST /v1/restart", body: '{"instances":2}', status: 400, message: 'Unknown field "instances"' },
    { ask: "POST /v1/stop", body: `{"x":"${"x".repeat(20_000)}"}`, status: 413, message: "over 16384 bytes" },
  ])("refuse $ask with $status: $message", async ({ ask, body, status, message }) => {
    await open();
    const [method, url = ""] = ask.split(" ");
    const answer = await request(url, { ...(method && { method }), ...(body !== undefined && { body }) });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({
      error: { code: "ERR_CHOIR_REQUEST", message: expect.stringContaining(message) },
    });
    expect(target.calls).toEqual([]);
    expect((await request("/v1/status")).status).toBe(200);
  });

  it("answer 100 at once", async () => {
    await open();
    const answers = await Promise.all(Array.from({ length: 100 }, () => askForStatus(file)));
    expect(answers.map(({ kind }) => kind)).toEqual(Array<string>(100).fill("alive"));
  });

  it("report what a method throws, and go on", async () => {
    await open();
    target.restartEnds = Promise.reject(new TypeError("boom"));
    target.restartEnds.catch(() => {});
    const answer = await request("/v1/restart", { method: "POST" });
    expect(answer).toMatchObject({ status: 500, body: '{"error":{"code":"ERR_CHOIR_INTERNAL","message":"boom"}}\n' });
    const call = callControl(file, { method: "POST", path: "/v1/restart", timeout: 5000, onEvent() {} });
    await expect(call).rejects.toThrow("boom");
  });
});

describe("what is watched", () => {
  /** The answer so far, and the end of the watching. */
  async function watch(url: string, headers: Record<string, string> = {}) {
    let text = "";
    const clientRequest = http.request({ socketPath: file, path: url, headers, agent: false }).end();
    const [response] = (await within(once(clientRequest, "response"), "the head")) as [http.IncomingMessage];
    response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    response.on("error", () => {});
    const until = (part: string): Promise<void> =>
      within(
        eventually(() => text.includes(part)),
        () => `${part} in ${text}`,
      );
    return { response, until, text: () => text, leave: () => clientRequest.destroy() };
  }

  it("are events, as a browser's EventSource takes them, with a snapshot now and then", async () => {
    const server = await open();
    const { response, until, text } = await watch("/v1/events?snapshots=250");
    expect(response.headers["content-type"]).toBe("text/event-stream");
    await until(`event: snapshot\ndata: ${JSON.stringify(SNAPSHOT)}\n\n`);
    events.emit(SCALED);
    await until(`event: choir\ndata: ${JSON.stringify(SCALED)}\n\n`);
    await within(
      eventually(() => text().split("event: snapshot").length > 3),
      "more snapshots",
    );
    const ended = once(response, "end");
    await within(server.close(), "the server's end");
    await within(ended, "the stream's end");
    expect(events.followers).toBe(0);
  });

  it("are events one a line, without snapshots where none are asked for", async () => {
    await open();
    const { until, leave } = await watch("/v1/events", { Accept: "application/x-ndjson" });
    events.emit(SCALED);
    await until(`${JSON.stringify(SCALED)}\n`);
    leave();
    await within(
      eventually(() => events.followers === 0),
      "the follower's end",
    );
  });

  it("are the last lines of the log, and those that follow", async () => {
    await open();
    const line = (text: string): Segment => ({
      bytes: Buffer.from(`${text}\n`),
      isError: false,
      instance: 0,
      isOwn: false,
    });
    target.logs.take([line("one"), line("two"), line("three")]);
    expect((await request("/v1/logs?lines=2")).body).toBe("two\nthree\n");
    const { until, leave, text } = await watch("/v1/logs?follow=true&lines=1");
    await until("three\n");
    target.logs.take([line("four")]);
    await until("four\n");
    expect(text()).toBe("three\nfour\n");
    leave();
  });

  it("says what a client that does not read has lost, instead of keeping it", async () => {
    await open();
    const socket = net.connect(file);
    socket.write("GET /v1/logs?follow=true&lines=0 HTTP/1.1\r\nHost: x\r\n\r\n");
    await within(once(socket, "data"), "the head");
    socket.pause();
    const many = { bytes: Buffer.from(`${"x".repeat(99_999)}\n`), isError: false, instance: 0, isOwn: false };
    for (let n = 0; n < 100; n += 1) {
      target.logs.take([many]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.resume();
    await within(
      eventually(() => /\{"lost":\d+\}/.test(text)),
      "what was lost",
    );
    socket.destroy();
  });

  it("is the level, which can be set, and a profile, as it comes", async () => {
    await open();
    const body = '{"level":"debug"}';
    expect((await request("/v1/log-level", { method: "POST", body })).body).toBe('{"level":"debug"}\n');
    expect((await request("/v1/log-level")).body).toBe('{"level":"debug"}\n');
    expect((await request("/v1/reopen", { method: "POST" })).status).toBe(202);
    target.parts = chunks("pro", "file");
    const profile = await request("/v1/profile", { method: "POST", body: '{"instance":1,"kind":"cpu","seconds":5}' });
    expect(profile).toMatchObject({ status: 200, body: "profile" });
    expect(target.calls).toEqual([
      ["setLogLevel", "debug", "a request on the control socket"],
      ["reopenLogs", "a request on the control socket"],
      ["profile", 1, { about: "cpu-profile", ms: 5000 }],
    ]);
  });

  it("is refused when it cannot begin, and cut off when it cannot end", async () => {
    await open();
    const body = '{"instance":1,"kind":"heap"}';
    // oxlint-disable-next-line require-yield -- it fails before it has anything
    target.parts = (async function* fails(): AsyncGenerator<Buffer> {
      throw new ChoirError("ERR_CHOIR_REQUEST", "No instance is ready in slot 1");
    })();
    const refused = await request("/v1/profile", { method: "POST", body });
    expect(refused).toMatchObject({ status: 400, body: expect.stringContaining("No instance is ready in slot 1") });
    target.parts = (async function* breaks(): AsyncGenerator<Buffer> {
      yield Buffer.from("half");
      throw new Error("the instance has ended");
    })();
    await expect(request("/v1/profile", { method: "POST", body })).rejects.toThrow();
    expect((await request("/v1/status")).status).toBe(200);
  });
});

describe("answers in lines", () => {
  it("carry the events on the way and then the result", async () => {
    await open();
    let end: (result: RestartResult) => void = () => {};
    target.restartEnds = new Promise((resolve) => {
      end = resolve;
    });
    const seen: ChoirEvent[] = [];
    const call = callControl(file, {
      method: "POST",
      path: "/v1/restart",
      timeout: 5000,
      onEvent(event) {
        seen.push(event);
        if (seen.length === 2) end(DONE);
      },
    });
    await within(
      eventually(() => target.calls.length === 1),
      "the call",
    );
    events.emit(SCALED);
    events.emit({ event: "stop-forced", by: "y" });
    expect(await within(call, "the result")).toEqual(DONE);
    expect(seen).toEqual([SCALED, { event: "stop-forced", by: "y" }]);
    // Nobody listens any more.
    events.emit(SCALED);
    expect(seen).toHaveLength(2);
  });

  it("of a stop last until the server closes, whose file is gone by then", async () => {
    const server = await open();
    const seen: ChoirEvent[] = [];
    const call = callControl(file, {
      method: "POST",
      path: "/v1/stop",
      timeout: 5000,
      onEvent(event) {
        seen.push(event);
        void server.close();
      },
    });
    await within(
      eventually(() => target.calls.length === 1),
      "the call",
    );
    events.emit({ event: "stopped", code: 0 });
    expect(await within(call, "the end")).toBeUndefined();
    expect(seen).toEqual([{ event: "stopped", code: 0 }]);
    expect(existsSync(file)).toBe(false);
  });

  it("that nobody reads are given up, and cost a bounded amount", async () => {
    await open();
    target.restartEnds = new Promise(() => {});
    const socket = net.connect(file);
    socket.pause();
    socket.write("POST /v1/restart HTTP/1.1\r\nAccept: application/x-ndjson\r\nContent-Length: 0\r\n\r\n");
    await within(
      eventually(() => target.calls.length === 1),
      "the call",
    );
    const closed = once(socket, "close");
    socket.on("error", () => {});
    const large: ChoirEvent = { event: "stray-error", error: "x".repeat(100_000), stack: "" };
    for (let sent = 0; sent < 40; sent++) events.emit(large);
    // It was dropped while it did not read; reading on finds the end.
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.resume();
    await within(closed, "the end of the connection");
    expect(bytes).toBeLessThan(3_000_000);
  });
});

describe("hostile clients", () => {
  it.each([
    ["garbage", "\u0000\u0001\u0002 nonsense\r\n\r\n", "400 Bad Request"],
    ["a header without end", `GET /v1/status HTTP/1.1\r\nx: ${"y".repeat(20_000)}`, "400 Bad Request"],
    ["a bad length", "POST /v1/stop HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "400 Bad Request"],
    [
      "two lengths",
      "POST /v1/stop HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
      "400 Bad Request",
    ],
    ["a tunnel", "CONNECT localhost:80 HTTP/1.1\r\n\r\n", ""],
    ["TLS", Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), "400 Bad Request"],
  ])("with %s get an answer in JSON at most, and are cut off", async (_, bytes, status) => {
    await open();
    const text = await exchange(bytes);
    if (status !== "") {
      expect(text).toContain(`HTTP/1.1 ${status}\r\n`);
      expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toMatchObject({ error: { code: "ERR_CHOIR_REQUEST" } });
    }
    expect(target.calls).toEqual([]);
    expect((await request("/v1/status")).status).toBe(200);
  });

  it.each([
    ["say nothing", ""],
    ["stop in the middle of the head", "GET /v1/sta"],
    ["stop in the middle of the body", 'POST /v1/scale HTTP/1.1\r\nContent-Length: 15\r\n\r\n{"inst'],
  ])("that %s are cut off in time", async (_, bytes) => {
    await open({ requestTimeout: 200 });
    expect(await exchange(bytes)).toContain("408");
    expect(target.calls).toEqual([]);
  });

  it("that go away in the middle of an answer cost nothing", async () => {
    await open();
    target.restartEnds = new Promise(() => {});
    for (let n = 0; n < 5; n++) {
      const socket = net.connect(file);
      socket.write("POST /v1/restart HTTP/1.1\r\nAccept: application/x-ndjson\r\nContent-Length: 0\r\n\r\n");
      await within(once(socket, "data"), "the head of the answer");
      expect(events.followers).toBe(1);
      socket.destroy();
      await within(
        eventually(() => events.followers === 0),
        "the end of the answer",
      );
    }
    events.emit(SCALED);
    expect((await request("/v1/status")).status).toBe(200);
  });

  it("that stay connected do not hold up the end", async () => {
    const server = await open({ closeTimeout: 100 });
    target.restartEnds = new Promise(() => {});
    const silent = net.connect(file);
    await once(silent, "connect");
    const waiting = request("/v1/restart", { method: "POST" }).catch((error: Error) => error.message);
    await within(
      eventually(() => target.calls.length === 1),
      "the call",
    );
    await within(server.close(), "the server's end");
    expect(await within(waiting, "the client's end")).toContain("hang up");
    silent.destroy();
  });
});

describe("whatever is asked", () => {
  const paths = ROUTES.map(({ path: each }) => each);
  /** Bytes and marks that a parser may trip over, and words that routes know. */
  const text = oneof(
    string({ unit: "binary", maxLength: 40 }),
    json(),
    constantFrom("instances", "level", "debug", "-1", "1e9", "__proto__", "%00", "..", "?", "&", "=", "\\r\\n"),
  );
  const field = record({ name: text, value: oneof(text, json()) });

  it("has an answer in JSON or of the route's own kind, calls nothing by mistake, and the next one is answered", async () => {
    await open();
    const requests = record({
      method: constantFrom("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"),
      path: oneof(constantFrom(...paths), text),
      query: option(array(field, { maxLength: 3 }), { nil: undefined }),
      body: option(oneof(text, json(), array(field, { maxLength: 3 })), { nil: undefined }),
      accept: option(constantFrom("*/*", "application/x-ndjson", "application/openmetrics-text"), { nil: undefined }),
    });
    await assert(
      asyncProperty(requests, async ({ method, path: where, query = [], body, accept }) => {
        const asked = query
          .map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
          .join("&");
        const sent =
          typeof body === "object"
            ? JSON.stringify(Object.fromEntries(body.map((each) => [each.name, each.value])))
            : body;
        const [pathname] = where.split("?");
        // A stream has no end: those are tested above.
        const isStream = ["/v1/events", "/v1/logs", "/v1/subscribe"].includes(pathname ?? "") && accept !== "*/*";
        if (isStream || pathname === "/v1/stop" || pathname === "/v1/restart") return;
        const url = `/${encodeURI(Buffer.from(where).toString()).replace(/^\/+/, "")}${asked === "" ? "" : `?${asked}`}`;
        const answer = await exchangeAny({ method, url, sent, accept });
        expect(answer).toMatch(/^HTTP\/1\.1 [1245]\d\d /);
        expect(answer.startsWith("HTTP/1.1 500")).toBe(false);
      }),
      { numRuns: 300 },
    );
    for (const [name, ...given] of target.calls) expect([name, given.length]).toEqual([name, expect.any(Number)]);
    expect((await request("/v1/status")).status).toBe(200);
  });

  /** The first bytes of whatever comes. */
  async function exchangeAny({
    method,
    url,
    sent,
    accept,
  }: {
    method: string;
    url: string;
    sent: string | undefined;
    accept: string | undefined;
  }): Promise<string> {
    const socket = net.connect(file);
    socket.on("error", () => {});
    const head = [`${method} ${url} HTTP/1.1`, "Host: x", `Content-Length: ${Buffer.byteLength(sent ?? "")}`];
    if (accept !== undefined) head.push(`Accept: ${accept}`);
    socket.write(`${head.join("\r\n")}\r\n\r\n${sent ?? ""}`);
    try {
      const [chunk] = (await within(once(socket, "data"), `an answer to ${method} ${url} ${sent}`)) as [Buffer];
      return chunk.toString("latin1");
    } finally {
      socket.destroy();
    }
  }
});

describe("the socket's file", () => {
  it("is the owner's only, from its first moment, whatever the umask", async () => {
    const umask = process.umask(0);
    try {
      await open();
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(umask);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("that a killed process left behind is taken over", async () => {
    await leaveStale();
    expect(await askForStatus(file)).toEqual({ kind: "stale" });
    await open();
    expect(await askForStatus(file)).toMatchObject({ kind: "alive" });
  });

  it("of a running app is refused, with its pid and what to do", async () => {
    await open();
    const second = new ControlServer(target, { events });
    await expect(second.listen(file)).rejects.toMatchObject({
      code: "ERR_CHOIR_NAME_IN_USE",
      exitCode: 69,
      message: expect.stringMatching(/"example" is running already, with pid 4000 /),
      hint: expect.stringContaining("--control"),
    });
    expect((await request("/v1/status")).status).toBe(200);
  });

  it("stays when it is a successor's by now", async () => {
    const first = await open();
    rmSync(file);
    const second = await open();
    await first.close();
    expect((await request("/v1/status")).status).toBe(200);
    await second.close();
    expect(existsSync(file)).toBe(false);
  });

  it("is not put in the place of anything else", async () => {
    writeFileSync(file, "precious");
    await expect(open()).rejects.toMatchObject({ code: "ERR_CHOIR_CONTROL", exitCode: 78 });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });
});

describe("Control", () => {
  const emitted: ChoirEvent[] = [];
  const control = (options: Partial<ControlSetup["options"]>): Control => {
    emitted.length = 0;
    const context = { environment: { XDG_RUNTIME_DIR: temp }, uid: process.getuid!(), temporary: temp, run: temp };
    const made = new Control({
      name: "app",
      options: { control: undefined, bindRetry: 0, ...options },
      context,
      clock: systemClock,
      emit: (event) => emitted.push(event),
    });
    opened.push(made);
    return made;
  };

  it("opens in the session's folder, which it makes", async () => {
    const found = await control({}).open(target);
    expect(found).toBe(path.join(temp, "choir", "app.sock"));
    expect(await askForStatus(found!)).toMatchObject({ kind: "alive" });
  });

  it("goes without, with a warning, when its folder is open to others", async () => {
    await control({}).open(target);
    for (const each of opened.splice(0)) await each.close();
    chmodSync(path.join(temp, "choir"), 0o777);
    expect(await control({}).open(target)).toBeUndefined();
    expect(emitted).toMatchObject([
      {
        event: "control-unavailable",
        error: expect.stringContaining("mode 0777"),
        hint: expect.stringContaining("chmod"),
      },
    ]);
  });

  it("ends the program over a path that was asked for", async () => {
    chmodSync(temp, 0o777);
    await expect(control({ control: file }).open(target)).rejects.toMatchObject({ code: "ERR_CHOIR_CONTROL" });
    chmodSync(temp, 0o700);
    const missing = path.join(temp, "none", "app.sock");
    await expect(control({ control: missing }).open(target)).rejects.toMatchObject({
      message: expect.stringContaining("does not exist"),
    });
    const long = path.join(temp, "x".repeat(120));
    await expect(control({ control: long }).open(target)).rejects.toMatchObject({
      message: expect.stringContaining("too long"),
    });
    expect(emitted).toEqual([]);
  });

  it("is off when it is told so", async () => {
    expect(await control({ control: "off" }).open(target)).toBeUndefined();
    expect(emitted).toEqual([]);
  });

  it("waits for a predecessor of the same name until --bind-retry", async () => {
    const first = control({});
    const found = await first.open(target);
    const second = control({ bindRetry: 10_000 }).open(target);
    // The first look finds it alive: its answer is the sign that the other one waits now.
    await within(
      eventually(() => existsSync(found!)),
      "the file",
    );
    await first.close();
    expect(await within(second, "the successor")).toBe(found);
  });
});

/** Leaves a socket's file behind, as a killed process does. */
async function leaveStale(): Promise<void> {
  const server = net.createServer().listen(path.join(temp, "other.sock"));
  await once(server, "listening");
  linkSync(path.join(temp, "other.sock"), file);
  await new Promise((resolve) => server.close(resolve));
}

/** Polls for what no event tells. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
