/** --access-log with a real app: a line for each request that is over, over HTTP/1.1 and HTTP/2, with what must not be there left out. */
import http from "node:http";
import { mkdtempSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { makeCertificate } from "../helpers/certificates.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { rawExchange } from "../helpers/raw-http.ts";
import { ask, type LogLine, type Running, startRunner } from "../helpers/start-runner.ts";
import { askHttp2, connectHttp2 } from "../helpers/tls-client.ts";

function accessTo(runner: Running, route: string): Promise<LogLine> {
  return runner.line(({ msg, path }) => msg === "request" && path === route, `the access to ${route}`);
}

describe("--access-log", () => {
  it("json: status, bytes, latency, protocol, client, and the id that the app's lines have; no query", async () => {
    await using runner = startRunner("answers.mjs", { args: ["--access-log", "json", "--log-redact", "*.password"] });
    const url = await runner.ready(1);
    const headers = { "x-forwarded-for": "203.0.113.9", referer: "http://x/?token=secret", "user-agent": "test" };
    await ask(`${url}/text?token=secret`, { headers });
    const line = await accessTo(runner, "/text");
    expect(line).toMatchObject({
      level: 30,
      method: "GET",
      status: 200,
      bytes: 7,
      protocol: "HTTP/1.1",
      client: "203.0.113.9",
      referer: "http://x/",
      userAgent: "test",
      instance: 0,
    });
    expect(line["latencyMs"]).toBeGreaterThan(0);
    const own = await runner.line(({ msg }) => msg === "asked");
    expect(own).toMatchObject({ requestId: line["requestId"], user: { name: "eve", password: "[Redacted]" } });

    await ask(`${url}/stream`);
    expect(await accessTo(runner, "/stream")).toMatchObject({ status: 206, bytes: 6 });
    await ask(`${url}/throws`);
    expect(await accessTo(runner, "/throws")).toMatchObject({ status: 500 });
    await ask(`${url}/text`, { method: "HEAD" });
    const head = await runner.line(({ method }) => method === "HEAD");
    expect(head).toMatchObject({ status: 200, bytes: 0 });

    const request = http.get(`${url}/never`);
    request.on("error", () => {});
    await new Promise((resolve) => request.on("finish", resolve));
    // The app has it when it answers what came after it.
    await ask(`${url}/text`);
    request.destroy();
    expect(await accessTo(runner, "/never")).toMatchObject({ status: 499, bytes: 0, aborted: true });
    await runner.stop();
    expect(JSON.stringify(runner.lines)).not.toContain("secret");
  });

  it("combined over HTTP/2, with the ids of --use-zone and the query when it is asked for", async () => {
    const certificate = makeCertificate();
    const folder = mkdtempSync(path.join(tmpdir(), "choir-access-"));
    writeFileSync(path.join(folder, "cert.pem"), certificate.pem + certificate.keyPem);
    await using runner = startRunner("answers.mjs", {
      args: [
        "--http2",
        `--certificate-file=${path.join(folder, "cert.pem")}`,
        "--use-zone",
        "--access-log=combined",
        "--access-log-query",
      ],
    });
    const url = await runner.ready(1);
    const session = await connectHttp2(url, certificate.pem);
    await askHttp2(session, "/text?a=b");
    session.close();
    const asked = await runner.line(({ msg }) => msg === "asked");
    const line = await runner.line(({ msg }) => msg?.includes("/text") === true && msg.includes("HTTP/2.0"));
    expect(line.msg).toMatch(
      /^(?:127\.0\.0\.1|::1) - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/text\?a=b HTTP\/2\.0" 200 7 "-" "-" [\d.]+ 0 /,
    );
    expect(line.msg!.endsWith(String(asked["requestId"]))).toBe(true);
  });

  it("is nothing at all without the option: no code, no listener, no mark, nothing replaced", async () => {
    const facts = async (...args: string[]): Promise<Record<string, unknown>> => {
      await using runner = startRunner("access-facts.mjs", { args });
      const { body } = await ask(`${await runner.ready(1)}/facts`);
      return JSON.parse(body) as Record<string, unknown>;
    };
    const [off, on] = [await facts(), await facts("--access-log", "json")];
    const listeners = { closeListeners: off["closeListeners"], exitListeners: off["exitListeners"] };
    expect(off).toEqual({ hasOwnId: true, marks: 0, replaced: [], scripts: 0, ...listeners });
    // Or the facts would say nothing.
    expect(on).toEqual({
      hasOwnId: false,
      marks: 2,
      replaced: ["write", "end"],
      scripts: 3,
      closeListeners: Number(off["closeListeners"]) + 1,
      exitListeners: Number(off["exitListeners"]) + 1,
    });
  });

  it("has lines for what never became a request, whoever refuses it, and for upgrades when they are over", async () => {
    const limits = ["--headers-timeout=300ms", "--request-timeout=300ms"];
    await using plain = startRunner("upgrades.mjs", { args: ["--access-log=common", ...limits] });
    const port = Number(new URL(await plain.ready(1)).port);
    // Which says nothing, and is ended as one that is too slow.
    const silent = await RawClient.connect({ port, host: "127.0.0.1" });
    await rawExchange(port, "NO HTTP\r\n\r\n");
    await rawExchange(port, "GET /slow HTTP/1.1\r\nHo");
    await rawExchange(port, `GET / HTTP/1.1\r\nHost: x\r\nBig: ${"x".repeat(20_000)}\r\n\r\n`);
    const upgrade = await RawClient.connect({ port, host: "127.0.0.1" });
    upgrade.send("GET /chat?token=secret HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await upgrade.until("upgraded");
    await silent.ended;
    upgrade.socket.destroy();
    await plain.line(({ msg }) => msg?.includes("/chat") === true);
    const accesses = plain.lines.flatMap(({ msg = "" }) => /^127\.0\.0\.1 - - \[.*\] (".*)$/.exec(msg)?.[1] ?? []);
    expect(accesses.map((line) => line.replace(/ [\d.]+ 0 \S+$/, " …"))).toEqual([
      '"-" 400 - - 0 -',
      '"-" 408 - - 0 -',
      '"-" 431 - - 0 -',
      '"GET /chat HTTP/1.1" 101 8 …',
    ]);

    await using runner = startRunner("answers.mjs", { args: ["--access-log", "json"] });
    await rawExchange(Number(new URL(await runner.ready(1)).port), "GET / HTTP/1.1\r\nno header\r\n\r\n");
    const refusal = await runner.line(({ status }) => status === 400);
    expect(refusal).toMatchObject({
      msg: "request",
      client: "127.0.0.1",
      error: "HPE_INVALID_HEADER_TOKEN",
      instance: 0,
    });
    expect(refusal).not.toHaveProperty("path");
  });

  it("has one line for a WebSocket of Fastify's, with the id that its route has", async () => {
    await using runner = startRunner("fastify-websocket.mjs", { args: ["--access-log", "json"] });
    const socket = new WebSocket(`${(await runner.ready(1)).replace("http", "ws")}/chat`);
    socket.on("open", () => socket.send("x".repeat(1000)));
    socket.on("message", () => socket.close());
    const line = await accessTo(runner, "/chat");
    expect(line).toMatchObject({ method: "GET", status: 101, client: "127.0.0.1" });
    // The echo and the close frame, without the head.
    expect(line["bytes"]).toBe(1004 + 2);
    expect(line["requestId"]).toMatch(/^[\da-f]{12}-\w+$/);
    await runner.stop();
    expect(runner.lines.filter(({ msg }) => msg === "request")).toHaveLength(1);
  });

  it("--log-level debug has the app's logger write what it leaves out otherwise", async () => {
    await using runner = startRunner("answers.mjs", { args: ["--log-level", "debug"] });
    await ask(`${await runner.ready(1)}/text`);
    expect(await runner.line(({ msg }) => msg === "not at info")).toMatchObject({ level: 20 });
  });
});
