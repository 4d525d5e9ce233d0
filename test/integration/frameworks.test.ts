/**
 * What Choir promises of any framework, asked of each: every app of test/fixtures/frameworks is started by `choir start`. The table
 * of docs/frameworks.md is the result; UPDATE_DOCS=1 writes it.
 */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { makeCertificate } from "../helpers/certificates.ts";
import { ask, type Running, startModule } from "../helpers/start-runner.ts";
import { askHttp2, askTls, connectHttp2 } from "../helpers/tls-client.ts";
import { within } from "../helpers/within.ts";

interface Framework {
  readonly name: string;
  readonly file: string;
  /** Why it has none, where it has none. */
  readonly noWebSocket?: string;
  readonly noHttp2?: string;
}

const FETCH = "not as an exported app: no server to attach them to";
const EXPRESS = "no: Express replaces the prototypes of requests";
const NEST = "no: the server is NestJS's own";

const FRAMEWORKS: readonly Framework[] = [
  { name: "Fastify 5", file: "fastify.mjs" },
  { name: "Express 4", file: "express4.mjs", noHttp2: EXPRESS },
  { name: "Express 5", file: "express5.mjs", noHttp2: EXPRESS },
  { name: "Koa 3", file: "koa.mjs" },
  { name: "Hono 4", file: "hono.mjs", noWebSocket: FETCH },
  { name: "NestJS 12, Express", file: "nest-express.mjs", noHttp2: NEST },
  { name: "NestJS 12, Fastify", file: "nest-fastify.mjs", noHttp2: NEST },
  { name: "h3 2", file: "h3.mjs", noWebSocket: FETCH },
  { name: "(request, response)", file: "plain.mjs" },
];

const COLUMNS = [
  "response",
  "streaming",
  "upload",
  "SSE",
  "error",
  "headers",
  "request id",
  "WebSocket",
  "drain",
  "HTTP/2",
];
type Results = Map<string, string>;
const results = new Map<string, Results>();

const UPLOAD = Buffer.alloc(1_000_000, "x");
const PAGE = fileURLToPath(new URL("../../docs/frameworks.md", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "choir-frameworks-"));
const certificate = makeCertificate();
writeFileSync(path.join(folder, "choir.config.json"), '{ "responseHeaders": { "X-Policy": "yes" } }');
writeFileSync(path.join(folder, "cert.pem"), certificate.pem);
writeFileSync(path.join(folder, "key.pem"), certificate.keyPem);
afterAll(() => rmSync(folder, { recursive: true }));

function start(file: string, args: readonly string[], env: Record<string, string> = {}): Running {
  return startModule(`../frameworks/${file}`, {
    args: ["--use-zone", "--trust-request-id", ...args],
    env,
    cwd: folder,
  });
}

describe.each(FRAMEWORKS)("$name", ({ name, file, noWebSocket, noHttp2 }) => {
  const result: Results = new Map();
  results.set(name, result);

  it("HTTP/1.1", async () => {
    await using app = start(file, ["--idle-grace", "100ms"], { WITH_SERVER: "1" });
    const url = await app.ready(1);
    const hello = await ask(url);
    expect(hello).toMatchObject({ status: 200, body: "hello", headers: { "x-policy": "yes" } });
    result.set("response", "yes");
    expect((await ask(`${url}/stream`)).body).toBe("one two three");
    result.set("streaming", "yes");
    expect((await send(`${url}/upload`, UPLOAD)).body).toBe(String(UPLOAD.length));
    result.set("upload", "yes");
    const events = await ask(`${url}/sse`);
    expect(events.headers["content-type"]).toContain("text/event-stream");
    expect(events.body).toMatch(/data: 1\n\n[\s\S]*data: 2\n\n/);
    result.set("SSE", "yes");
    const failed = await ask(`${url}/error`);
    expect(failed).toMatchObject({ status: 500, headers: { "x-policy": "yes" } });
    result.set("error", "yes").set("headers", "yes");
    expect((await ask(`${url}/id`, { headers: { "x-request-id": "its-own-7" } })).body).toBe("its-own-7");
    result.set("request id", "yes");
    const socket = noWebSocket === undefined ? (await echoing(url)).closed : undefined;
    result.set("WebSocket", noWebSocket ?? "yes");

    const slow = await inFlight(url, 8);
    app.child.kill("SIGTERM");
    expect(await slow.answers).toEqual(Array.from({ length: 8 }, () => "slow"));
    if (socket !== undefined) expect(await within(socket, "the end of a WebSocket")).toBe(1001);
    expect(await app.exit()).toEqual({ code: 0, signal: null });
    expect(app.events("instance-exited")).toHaveLength(1);
    result.set("drain", "yes");
  });

  it("HTTP/2", async () => {
    await using app = start(file, ["--http2", "--certificate-file", "cert.pem", "--key-file", "key.pem"]);
    const url = await app.ready(1);
    const protocol = await negotiated(url);
    expect(protocol).toBe(noHttp2 === undefined ? "h2" : "http/1.1");
    expect(await askTls(url, { ca: certificate.pem })).toMatchObject({ status: 200, body: "hello" });
    if (noHttp2 === undefined) {
      const session = await connectHttp2(url, certificate.pem);
      expect(await askHttp2(session, "/stream")).toMatchObject({
        status: 200,
        body: "one two three",
        headers: { "x-policy": "yes" },
      });
      session.close();
    } else {
      await app.event("http1-only");
    }
    result.set("HTTP/2", noHttp2 ?? "yes");
  });
});

it("docs/frameworks.md has the result", () => {
  const page = readFileSync(PAGE, "utf8");
  const [before = "", after = ""] = page.split(/<!-- result -->[\s\S]*<!-- end of result -->/);
  const current = `${before}<!-- result -->\n${table(page)}<!-- end of result -->${after}`;
  if (process.env["UPDATE_DOCS"]) writeFileSync(PAGE, current);
  expect(readFileSync(PAGE, "utf8")).toBe(current);
});

function table(page: string): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const head = row(["", ...COLUMNS]) + row(["---", ...COLUMNS.map(() => "---")]);
  const rows = [...results].map(([name, result]) => {
    // Where only some are run, the others keep their rows.
    const kept = page.split("\n").find((line) => line.startsWith(`| ${name} |`));
    if (result.size === 0 && kept !== undefined) return `${kept}\n`;
    return row([name, ...COLUMNS.map((column) => result.get(column) ?? "failed")]);
  });
  return head + rows.join("");
}

function send(url: string, body: Buffer) {
  const headers = { "content-type": "application/octet-stream" };
  return ask(url, { method: "POST", headers, body: body.toString() });
}

/** Opens a WebSocket that has been answered; resolved with a promise of the code that it is closed with. */
async function echoing(url: string): Promise<{ readonly closed: Promise<number> }> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  const closed = once(socket, "close").then(([code]) => code as number);
  await within(once(socket, "open"), "a WebSocket");
  socket.send("echo");
  const [message] = (await within(once(socket, "message"), "an echo")) as [Buffer];
  expect(String(message)).toBe("echo");
  return { closed };
}

/** Requests that the server has: their connections are open, and what was sent on them is read before a signal can be. */
async function inFlight(url: string, count: number): Promise<{ readonly answers: Promise<string[]> }> {
  const answers: Promise<string>[] = [];
  for (let n = 0; n < count; n++) {
    const request = http.get(`${url}/slow`, { agent: false });
    answers.push(bodyOf(request));
    await within(once(request, "finish"), "a request to be sent");
    await connected(request);
  }
  return { answers: Promise.all(answers) };
}

function connected(request: http.ClientRequest): Promise<unknown> {
  const { socket } = request;
  return socket?.connecting === false ? Promise.resolve() : within(once(socket ?? request, "connect"), "a connection");
}

async function bodyOf(request: http.ClientRequest): Promise<string> {
  const [response] = (await within(once(request, "response"), "a slow answer")) as [http.IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += String(chunk);
  return body;
}

async function negotiated(url: string): Promise<string | false | null> {
  const { hostname, port } = new URL(url);
  const socket = tls.connect({
    host: hostname,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  await within(once(socket, "secureConnect"), "a TLS connection");
  const { alpnProtocol } = socket;
  socket.destroy();
  return alpnProtocol;
}
