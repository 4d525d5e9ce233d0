import http from "node:http";
import type { Server } from "node:net";
import fastify from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { compileHeaderPolicy, type HeaderPolicyOptions } from "../../src/http/headers.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { recogniseApp, type ServedApp } from "../../src/instance/app.ts";
import { openServer } from "../../src/instance/open-server.ts";
import { APPS } from "../helpers/header-apps.ts";
import { closeServer, listenAnywhere, parseResponse, rawExchange, rawRequest, valuesOf } from "../helpers/raw-http.ts";

const POLICY: HeaderPolicyOptions = {
  responseHeaders: { "X-Added": "policy", "X-Clash": "policy", "X-Many": ["a", "b"], "X-Both": "1" },
  removeResponseHeaders: { "x-gone": true, "X-Some": "bad", "X-Powered-By": true, Date: true, "x-both": "1" },
};

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await closeServer(server);
});

async function serve(app: ServedApp, options: HeaderPolicyOptions = POLICY): Promise<number> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const server = await openServer(app, { headers: compileHeaderPolicy(options), onError });
  servers.push(server);
  return listenAnywhere(server);
}

function listener(listener: http.RequestListener): ServedApp {
  return { kind: "listener", name: "test", listener };
}

describe.each(Object.keys(APPS))("%s", (name) => {
  const app = (): ServedApp => APPS[name]?.() ?? listener(() => {});

  test.each([
    ["/ok", 200, "GET"],
    ["/ok", 200, "HEAD"],
    ["/nothing-here", 404, "GET"],
    ["/error", 500, "GET"],
    ["/stream", 200, "GET"],
    ["/redirect", 302, "GET"],
    ["/empty", 204, "GET"],
    ["/not-modified", 304, "GET"],
  ])("%s answers %i to %s with the policy applied", async (path, status, method) => {
    const response = await rawRequest(await serve(app()), path, { method });
    expect(response.status).toBe(status);
    expect(valuesOf(response, "X-Added")).toEqual(["policy"]);
    expect(valuesOf(response, "X-Clash")).toEqual(["policy"]);
    expect(valuesOf(response, "X-Many")).toEqual(["a", "b"]);
    for (const gone of ["X-Both", "X-Powered-By", "Date"]) expect(valuesOf(response, gone)).toEqual([]);
    if (path === "/stream") expect(response.body).toMatch(/one[^]*two/);
  });

  test("a handler's own header wins over what is added, and loses to what is removed", async () => {
    const response = await rawRequest(await serve(app()), "/own");
    expect(response.body).toContain("own");
    expect(valuesOf(response, "X-Clash")).toEqual(["own"]);
    expect(valuesOf(response, "X-Gone")).toEqual([]);
    expect(valuesOf(response, "X-Some")).toEqual(["good"]);
  });
});

describe.each(["a listener", "Express", "Fastify"])("writeHead in %s", (name) => {
  // Express has set a header before, and then Node takes no pairs.
  const forms = ["object", "reason", "flat", "mixed", "append", ...(name === "Express" ? [] : ["pairs"])];

  test.each(forms)("with headers as %s", async (form) => {
    const app = APPS[name]?.() ?? listener(() => {});
    const response = await rawRequest(await serve(app), `/head-${form}`);
    expect(response.status).toBe(200);
    expect(valuesOf(response, "X-Added")).toEqual(["policy"]);
    expect(valuesOf(response, "X-Clash")).toEqual([form === "append" ? "policy" : "own"]);
    expect(valuesOf(response, "X-Gone")).toEqual([]);
    expect(valuesOf(response, "X-Some")).toEqual(["good"]);
    expect(response.text.startsWith(form === "reason" ? "HTTP/1.1 200 Fine\r\n" : "HTTP/1.1 200 OK\r\n")).toBe(true);
  });
});

describe("the default", () => {
  test("is that nothing is touched", async () => {
    const port = await serve(
      listener((_request, response) => void response.end()),
      {},
    );
    const names = (await rawRequest(port, "/")).headers.map(([header]) => header);
    expect(names).toEqual(["date", "connection", "content-length"]);
  });

  test("for other servers of the process is that nothing is touched either", async () => {
    await serve(listener((_request, response) => void response.end()));
    const other = http.createServer((_request, response) => void response.end());
    servers.push(other);
    const response = await rawRequest(await listenAnywhere(other), "/");
    expect(response.headers.map(([header]) => header)).toEqual(["date", "connection", "content-length"]);
  });
});

describe("one connection", () => {
  test("every pipelined response follows the policy, also one that is written before its turn", async () => {
    const held: http.ServerResponse[] = [];
    const port = await serve(
      listener((request, response) => {
        if (request.url === "/first") {
          held.push(response);
          return;
        }
        response.writeHead(200, { "Content-Length": 1 }).end("2");
        held[0]?.writeHead(200, { "Content-Length": 1 }).end("1");
      }),
    );
    const text = await rawExchange(
      port,
      "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(text.match(/X-Added: policy/g)).toHaveLength(2);
    expect(text).toMatch(/\r\n\r\n1HTTP[^]*\r\n\r\n2$/);
  });

  test("Node's own 503 beyond maxRequestsPerSocket follows it, informational answers do not", async () => {
    const server = createHttpServer(
      (_request, response) => {
        response.writeProcessing();
        response.end();
      },
      {
        headers: compileHeaderPolicy({
          responseHeaders: { "X-Added": "policy" },
          removeResponseHeaders: ["Keep-Alive"],
        }),
      },
    );
    servers.push(server);
    server.maxRequestsPerSocket = 1;
    const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const text = await rawExchange(
      await listenAnywhere(server),
      `${request}${request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}`,
    );
    const [processing = "", ok = "", unavailable = ""] = text.split(/(?=HTTP\/1\.1 )/);
    expect(processing).toBe("HTTP/1.1 102 Processing\r\n\r\n");
    expect(ok).toMatch(/^HTTP\/1\.1 200 [^]*X-Added: policy[^]*Connection: close/);
    expect(unavailable).toMatch(/^HTTP\/1\.1 503 [^]*X-Added: policy/);
  });
});

test("what is given to writeHead overrules what was set before, also when it is then removed", async () => {
  const port = await serve(
    listener(
      (_request, response) => void response.setHeader("X-Some", "good").writeHead(200, { "X-Some": "bad" }).end(),
    ),
  );
  expect(valuesOf(await rawRequest(port, "/"), "X-Some")).toEqual([]);
});

test("a status below 200 is left as it is", async () => {
  const port = await serve(
    listener((_request, response) => {
      response.shouldKeepAlive = false;
      response.writeHead(101, { Upgrade: "x", "X-Gone": "1" }).end();
    }),
  );
  const response = await rawRequest(port, "/");
  expect(response.status).toBe(101);
  expect(valuesOf(response, "X-Gone")).toEqual(["1"]);
  expect(valuesOf(response, "X-Added")).toEqual([]);
});

describe("headers that Node writes by itself", () => {
  async function headersOf(
    options: HeaderPolicyOptions,
    handle: http.RequestListener,
    version = "1.1",
  ): Promise<http.IncomingHttpHeaders> {
    const port = await serve(listener(handle), options);
    // The second request ends the connection, so that the first one's head is that of one that stays open.
    const text = await rawExchange(
      port,
      `GET / HTTP/${version}\r\nHost: a\r\n${version === "1.0" ? "Connection: keep-alive\r\n" : ""}\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    return Object.fromEntries(parseResponse(text).headers);
  }
  const bare: http.RequestListener = (_request, response) => void response.end("x");
  const progressive: http.RequestListener = (_request, response) => void response.setHeader("X-Own", "1").end("x");

  test("stay when nobody removes them", async () => {
    expect(await headersOf({ responseHeaders: { "X-A": "1" } }, bare)).toMatchObject({
      connection: "keep-alive",
      "keep-alive": "timeout=5",
      "content-length": "1",
    });
  });

  test.each([bare, progressive])("Keep-Alive goes alone", async (handle) => {
    for (const removeResponseHeaders of [["Keep-Alive"], { "Keep-Alive": "timeout=5" }]) {
      const headers = await headersOf({ removeResponseHeaders }, handle);
      expect(headers).toMatchObject({ connection: "keep-alive", "content-length": "1" });
      expect(headers).not.toHaveProperty("keep-alive");
    }
    expect(await headersOf({ removeResponseHeaders: { "Keep-Alive": "timeout=6" } }, handle)).toHaveProperty(
      "keep-alive",
    );
  });

  test("Keep-Alive goes by closing for HTTP/1.0", async () => {
    const handle: http.RequestListener = (_request, response) =>
      void response.writeHead(200, { "Content-Length": 1 }).end("x");
    const headers = await headersOf({ removeResponseHeaders: ["Keep-Alive"] }, handle, "1.0");
    expect(headers).toMatchObject({ connection: "close" });
    expect(headers).not.toHaveProperty("keep-alive");
  });

  test.each([bare, progressive])("Connection goes with Keep-Alive", async (handle) => {
    for (const removeResponseHeaders of [["Connection"], { Connection: "keep-alive" }, ["Keep-Alive", "Connection"]]) {
      const headers = await headersOf({ removeResponseHeaders }, handle);
      expect(headers).not.toHaveProperty("connection");
      expect(headers).not.toHaveProperty("keep-alive");
    }
  });

  test("Content-Length goes, and the body is sent in chunks", async () => {
    for (const handle of [bare, progressive]) {
      const headers = await headersOf({ removeResponseHeaders: ["Content-Length"] }, handle);
      expect(headers).toMatchObject({ "transfer-encoding": "chunked" });
      expect(headers).not.toHaveProperty("content-length");
    }
  });

  test("a handler's Connection: close still closes when the line is removed", async () => {
    const port = await serve(
      listener((_request, response) => void response.writeHead(200, { Connection: "close" }).end("x")),
      { removeResponseHeaders: ["Connection"] },
    );
    const response = parseResponse(await rawExchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect(response.body).toContain("x");
    expect(valuesOf(response, "connection")).toEqual([]);
  });

  test("a handler's own Connection stays, once, when something else is removed", async () => {
    const given = await serve(
      listener((_request, response) => void response.writeHead(200, { Connection: "close" }).end("x")),
      { removeResponseHeaders: ["Keep-Alive"] },
    );
    const closed = parseResponse(await rawExchange(given, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect(valuesOf(closed, "Connection")).toEqual(["close"]);
    const set = await serve(
      listener((_request, response) => {
        response.shouldKeepAlive = false;
        response.setHeader("Connection", "keep-alive").end("x");
      }),
      { removeResponseHeaders: { Connection: "close" } },
    );
    const text = await rawExchange(set, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { after: "x", bytes: "NONSENSE\r\n\r\n" });
    expect(valuesOf(parseResponse(text), "Connection")).toEqual(["keep-alive"]);
  });

  test("a Connection of the policy's does not keep open what is to close", async () => {
    const port = await serve(
      listener((_request, response) => {
        response.shouldKeepAlive = false;
        response.end("x");
      }),
      { responseHeaders: { Connection: "keep-alive" } },
    );
    const response = parseResponse(await rawExchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect(valuesOf(response, "connection")).toEqual(["close"]);
  });
});

describe("what never becomes a request", () => {
  const options: HeaderPolicyOptions = { responseHeaders: { "X-Added": "policy" } };
  const quiet = (): ServedApp => listener((_request, response) => void response.end("x"));
  const apps: Record<string, () => ServedApp> = {
    "a listener": quiet,
    "a user's Fastify": () => recogniseApp(fastify()),
  };

  test.each(Object.keys(apps))("is answered by %s with the policy's headers", async (name) => {
    const port = await serve(apps[name]?.() ?? quiet(), options);
    expect(await rawExchange(port, "NONSENSE\r\n\r\n")).toBe(
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nX-Added: policy\r\n\r\n",
    );
    expect(await rawExchange(port, `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(17_000)}\r\n\r\n`)).toBe(
      "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nX-Added: policy\r\n\r\n",
    );
  });

  test("without a Host is answered by Node with the policy's headers", async () => {
    const response = parseResponse(await rawExchange(await serve(quiet(), options), "GET / HTTP/1.1\r\n\r\n"));
    expect(response.status).toBe(400);
    expect(valuesOf(response, "X-Added")).toEqual(["policy"]);
  });

  test("comes too slowly: 408", async () => {
    const server = http.createServer({ connectionsCheckingInterval: 20, headersTimeout: 50, requestTimeout: 50 });
    const text = await rawExchange(await serve(recogniseApp(server), options), "GET / HTTP/1.1\r\nHost:");
    expect(text).toBe("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nX-Added: policy\r\n\r\n");
  });

  test("has too long chunk extensions: 413", async () => {
    const port = await serve(
      listener((request) => void request.resume()),
      options,
    );
    const text = await rawExchange(
      port,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(17_000)}\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 [^]*X-Added: policy\r\n\r\n$/);
  });

  test("is not answered in the middle of another answer", async () => {
    const port = await serve(
      listener((request, response) => {
        request.resume();
        response.write("part");
      }),
      options,
    );
    const text = await rawExchange(port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", {
      after: "part\r\n",
      bytes: "nonsense\r\n",
    });
    expect(text).toMatch(/^HTTP\/1\.1 200 [^]*X-Added: policy[^]*\r\n4\r\npart\r\n$/);
  });

  test("is the app's own matter when it handles it, before or after", async () => {
    const handle = (_error: Error, socket: { end(text: string): void }): void =>
      socket.end("HTTP/1.1 418 Mine\r\n\r\n");
    const before = http.createServer().on("clientError", handle);
    expect(await rawExchange(await serve(recogniseApp(before), options), "NONSENSE\r\n\r\n")).toBe(
      "HTTP/1.1 418 Mine\r\n\r\n",
    );
    const after = http.createServer();
    const port = await serve(recogniseApp(after), options);
    after.on("clientError", handle);
    expect(await rawExchange(port, "NONSENSE\r\n\r\n")).toBe("HTTP/1.1 418 Mine\r\n\r\n");
    const own = recogniseApp(fastify({ clientErrorHandler: handle }));
    expect(await rawExchange(await serve(own, options), "NONSENSE\r\n\r\n")).toBe("HTTP/1.1 418 Mine\r\n\r\n");
  });
});
