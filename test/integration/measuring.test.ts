// What a server counts of its requests: each once, with its status class, protocol and duration, however it ends.
import { once } from "node:events";
import http2 from "node:http2";
import type { RequestListener } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { bucketOf } from "../../src/histogram.ts";
import { PROTOCOLS, responseIndex, STATUS_CLASSES } from "../../src/measured.ts";
import { DrainableServer, tlsFiles, type Transport } from "../helpers/drainable-server.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { turns, within } from "../helpers/within.ts";

let drainable: DrainableServer | undefined;

afterEach(async () => {
  await drainable?.[Symbol.asyncDispose]();
  drainable = undefined;
});

/** Answers with the status that the path says; 0 is for a handler that never does. */
const byPath: RequestListener = (request, response) => {
  const status = Number(request.url?.slice(1));
  if (status === 0) return;
  if (status === 1) response.destroy();
  else response.writeHead(status).end("x".repeat(10));
};

/** Counted so far, `1.1 2xx` by `1.1 2xx`, with the buckets of their durations. */
async function counted(server: DrainableServer, expected: number): Promise<[Record<string, number>, number[]]> {
  const names = new Map(
    PROTOCOLS.flatMap((protocol, p) =>
      STATUS_CLASSES.map((name, s) => [responseIndex(p, s), `${protocol} ${name}`] as const),
    ),
  );
  const counts: Record<string, number> = {};
  const buckets: number[] = [];
  let sum = 0;
  while (sum < expected) {
    await turns(1);
    const { responses, durations } = server.connections.meter!.take();
    for (let at = 0; at < responses.length; at += 2) {
      const name = names.get(responses[at]!)!;
      counts[name] = (counts[name] ?? 0) + responses[at + 1]!;
      sum += responses[at + 1]!;
    }
    for (let at = 0; at < durations.length; at += 2)
      buckets.push(...Array.from({ length: durations[at + 1]! }, () => durations[at]!));
  }
  await turns();
  expect(server.connections.meter!.take().responses).toEqual([]);
  return [counts, buckets];
}

describe.each<Transport>(["http", "https", "http1 on http2"])("over %s", (transport) => {
  it("every answer counts once, by its status class and protocol", async () => {
    drainable = await DrainableServer.start(transport, byPath);
    const client = await RawClient.connect(drainable.target);
    client.get("/200", "/204", "/304", "/404");
    await client.until(/(HTTP[^]*){4}/);
    client.send("GET /500 HTTP/1.0\r\n\r\n");
    await client.end();
    const counts = await within(counted(drainable, 5), "5 answers");
    expect(counts[0]).toEqual({ "1.1 2xx": 2, "1.1 3xx": 1, "1.1 4xx": 1, "1.0 5xx": 1 });
  });

  it("what a client or the app breaks off counts as aborted", async () => {
    drainable = await DrainableServer.start(transport, byPath);
    const leaving = await RawClient.connect(drainable.target);
    leaving.get("/200", "/0");
    await leaving.until("200 OK");
    leaving.socket.destroy();
    const dropped = await RawClient.connect(drainable.target);
    dropped.get("/1");
    await dropped.end();
    expect((await within(counted(drainable, 3), "3 ends"))[0]).toEqual({ "1.1 2xx": 1, "1.1 aborted": 2 });
  });
});

it("a duration lasts from the request's head to the last byte of its answer", async () => {
  drainable = await DrainableServer.start("http", (_, response) => {
    response.write("begun");
    drainable!.clock.advance(90);
    response.end();
    drainable!.clock.advance(4000);
  });
  const client = await RawClient.connect(drainable.target);
  client.get("/");
  await client.until("0\r\n\r\n");
  const [, [bucket]] = await within(counted(drainable, 1), "an answer");
  // Written at once: but the clock goes on before Node says so.
  expect([bucketOf(90), bucketOf(4090)]).toContain(bucket);
});

it("streams of HTTP/2 count when they end, also those that a client resets", async () => {
  const server = http2.createSecureServer({ ...tlsFiles, allowHTTP1: true });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const status = Number(headers[":path"]?.slice(1));
    if (status === 0) return;
    stream.respond({ ":status": status });
    stream.end("x");
  });
  drainable = await new DrainableServer(server).listen();
  const session = http2.connect(`https://localhost:${drainable.port}`, { ca: tlsFiles.cert });
  session.on("error", () => {});
  try {
    for (const path of ["/200", "/404"]) {
      const stream = session.request({ ":path": path }).resume();
      await within(once(stream, "close"), path);
    }
    const reset = session.request({ ":path": "/0" });
    reset.on("error", () => {});
    await within(once(server, "stream"), "the stream");
    reset.close(http2.constants.NGHTTP2_CANCEL);
    expect((await within(counted(drainable, 3), "3 ends"))[0]).toEqual({ "2 2xx": 1, "2 4xx": 1, "2 aborted": 1 });
  } finally {
    session.destroy();
  }
});

it("a server that is closed counts no longer, and others in its process never did", async () => {
  await using other = await DrainableServer.start("http", byPath);
  drainable = await DrainableServer.start("http", byPath);
  const client = await RawClient.connect(other.target);
  client.get("/200");
  await client.until("200 OK");
  expect((await within(counted(other, 1), "an answer"))[0]).toEqual({ "1.1 2xx": 1 });
  expect(drainable.connections.meter!.take().responses).toEqual([]);
});
