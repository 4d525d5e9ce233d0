// Zones over HTTP/2, by its own API and by the one that looks like HTTP/1: the same context, the same end of a failed request.
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { type Zone, Zones } from "../../dist/src/instance/zone.js";
import { within } from "../helpers/within.ts";

interface Answer {
  readonly status: number | undefined;
  readonly requestId: unknown;
  readonly body: string;
  /** Of the RST_STREAM; 0 when there was none. */
  readonly code: number;
}

/** A server whose requests are all failed by their zone, after `handle`; the zones are kept. */
async function serve(api: "stream" | "compat", half: boolean) {
  const zones = new Zones({ trustRequestId: false });
  const failed: { zone: Zone; failure: string }[] = [];
  const server = http2.createServer();
  zones.open(server);
  const failLater = (): void => {
    setTimeout(() => {
      const zone = zones.current()!;
      failed.push({ zone, failure: zone.fail() });
    }, 1);
  };
  if (api === "stream") {
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      if (half) stream.respond({ ":status": 200 });
      failLater();
    });
  } else {
    server.on("request", (_request, response) => {
      response.on("error", () => {});
      response.setHeader("content-length", "100");
      if (half) response.writeHead(200);
      failLater();
    });
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    zones,
    failed,
    ask: (method: string, body?: string) => within(ask(client, method, body), "an answer"),
    async [Symbol.asyncDispose]() {
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function ask(client: http2.ClientHttp2Session, method: string, sent?: string): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = client.request({ ":method": method, ":path": "/x?y=1" }, { endStream: sent === undefined });
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let body = "";
    stream.on("response", (headers) => (head = headers));
    stream.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    stream.on("error", () => {});
    stream.on("close", () =>
      resolve({ status: head[":status"], requestId: head["x-request-id"], body, code: stream.rstCode ?? 0 }),
    );
    if (sent !== undefined) stream.end(sent);
  });
}

describe.each(["stream", "compat"] as const)("%s", (api) => {
  it.each([
    ["GET", undefined, "Internal Server Error"],
    ["HEAD", undefined, ""],
    ["POST", "x".repeat(100_000), "Internal Server Error"],
  ])("%s: a failed request gets 500 with its id", async (method, sent, body) => {
    await using server = await serve(api, false);
    for (let round = 0; round < 2; round += 1) {
      const answer = await server.ask(method, sent);
      const { zone, failure } = server.failed[round]!;
      expect({ ...answer, failure }).toEqual({ status: 500, requestId: zone.id, body, code: 0, failure: "answered" });
      expect(zone).toMatchObject({ method, path: "/x", failed: true });
      expect(zone.fail()).toBe("over");
    }
    expect(server.failed[0]!.zone.id).not.toBe(server.failed[1]!.zone.id);
    expect(server.zones.current()).toBeUndefined();
  });

  it("an answer that has begun is cut, and only it", async () => {
    await using server = await serve(api, true);
    const [first, second] = await Promise.all([server.ask("GET"), server.ask("GET")]);
    expect([first.code, second.code]).toEqual([2, 2]);
    expect(server.failed.map(({ failure }) => failure)).toEqual(["cut", "cut"]);
  });
});
