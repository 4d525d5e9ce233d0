import http from "node:http";
import https from "node:https";
import express from "express";
import fastify from "fastify";
import { describe, expect, test, vi } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { checkConfigureServer, recogniseApp } from "../../../src/instance/app.ts";

class Api {
  name = "api";
}

function thrown(run: () => unknown): ChoirError {
  try {
    run();
  } catch (error) {
    if (error instanceof ChoirError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("recogniseApp", () => {
  test("a listener, also one that takes its arguments as a list", () => {
    const listener = (_request: unknown, _response: unknown): void => {};
    expect(recogniseApp(listener)).toEqual({ kind: "listener", name: "listener", listener });
    expect(recogniseApp((..._all: unknown[]) => {})).toMatchObject({ kind: "listener" });
  });

  test("an Express app", () => {
    const app = express();
    expect(recogniseApp(app)).toEqual({ kind: "listener", name: "express", listener: app });
  });

  test("a Koa app", () => {
    const listener = (): void => {};
    expect(recogniseApp({ middleware: [], use() {}, callback: () => listener })).toEqual({
      kind: "listener",
      name: "koa",
      listener,
    });
  });

  test("an http.Server", () => {
    const server = http.createServer();
    expect(recogniseApp(server)).toEqual({ kind: "server", name: "http.Server", server });
  });

  test("a Fastify instance, to be prepared and closed", async () => {
    const app = fastify();
    const served = recogniseApp(app);
    expect(served).toMatchObject({ kind: "server", name: "fastify", server: app.server });
    const closed = vi.fn();
    app.addHook("onClose", async () => closed());
    if (served.kind !== "server") throw new Error("not a server");
    await served.prepare?.();
    await served.close?.();
    expect(closed).toHaveBeenCalledOnce();
  });

  test("a NestJS app", async () => {
    const server = http.createServer();
    const app = {
      init: vi.fn(async () => {}),
      close: async () => {},
      getHttpServer: () => server,
      getHttpAdapter() {},
    };
    const served = recogniseApp(app);
    expect(served).toMatchObject({ kind: "server", name: "nest", server });
    if (served.kind === "server") await served.prepare?.();
    expect(app.init).toHaveBeenCalledOnce();
  });

  test("an object with fetch", () => {
    const app = { fetch: () => new Response("") };
    expect(recogniseApp(app)).toEqual({ kind: "fetch", name: "fetch", app });
  });

  test.each([
    [undefined, "got nothing"],
    ["app", 'got "app"'],
    [42, "got 42 (number)"],
    [null, "got null"],
    [{ listen() {} }, "got an object (Object)"],
    [Api, "got class Api"],
    [(_request: unknown) => {}, "with 1 parameter"],
    [https.createServer(), "got one for TLS"],
  ])("refuses %s", (value, message) => {
    const error = thrown(() => recogniseApp(value));
    expect(error.code).toBe("ERR_CHOIR_NO_APP");
    expect(error.message).toContain(message);
    expect(error.hint).toBeTruthy();
  });

  test("refuses what listens already, and says to leave listen() away", () => {
    const server = http.createServer();
    Object.defineProperty(server, "listening", { value: true });
    const error = thrown(() => recogniseApp(server));
    expect(error.code).toBe("ERR_CHOIR_APP_LISTENS");
    expect(error.hint).toContain("listen()");
  });
});

describe("checkConfigureServer", () => {
  test("takes functions of no or one parameter", () => {
    for (const configure of [() => {}, async (_app: unknown) => {}]) {
      expect(checkConfigureServer(configure)).toBe(configure);
    }
  });

  test.each([
    [undefined, "got nothing"],
    [{ port: 80 }, "got an object (Object)"],
    [Api, "got class Api"],
    [express(), "got an Express app: write () => app"],
    [function handle(_req: unknown, _res: unknown) {}, "got function handle with 2 parameters: write () => listener"],
  ])("refuses %s", (value, message) => {
    const error = thrown(() => checkConfigureServer(value));
    expect(error.code).toBe("ERR_CHOIR_RUNNER");
    expect(error.message).toContain(message);
  });
});
