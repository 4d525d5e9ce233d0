import { asFunction } from "awilix";
import pino from "pino";
import { describe, expect, test, vi } from "vitest";
import { compileHeaderPolicy } from "../../../src/http/headers.ts";
import type { ConfigureServer } from "../../../src/instance/app.ts";
import { configureApp } from "../../../src/instance/configure-app.ts";
import type { AppContainer } from "../../../src/instance/cradle.ts";
import { LogController, type FastifyInstance, type FastifyRequest } from "fastify";
import { createDefaultApp, type App, type FastifyOptions } from "../../../src/instance/fastify-app.ts";
import { fakeServices } from "../../helpers/services.ts";

interface Setup {
  app: App;
  container: AppContainer;
  lines: Record<string, unknown>[];
}

async function setup(fastify?: FastifyOptions): Promise<Setup> {
  const { services, lines } = fakeServices();
  const { app } = await createDefaultApp({ services, headers: compileHeaderPolicy(), fastify });
  return { app, container: app.container, lines };
}

async function configure(configureServer: ConfigureServer): Promise<unknown> {
  const { services } = fakeServices();
  return configureApp(configureServer, { services, headers: compileHeaderPolicy() });
}

describe("configureApp", () => {
  test("serves the default app that configureServer took, whether or not it returns it", async () => {
    for (const back of [(app: App) => app, () => undefined]) {
      let given: App | undefined;
      const served = await configure(async (app) => {
        given = app;
        app.get("/", () => "hello");
        return back(app);
      });
      expect(served).toMatchObject({
        served: { kind: "server", name: "fastify", server: given?.server },
        isDefault: true,
      });
      expect((await given?.inject("/"))?.body).toBe("hello");
    }
  });

  test("serves another app that it returns", async () => {
    const app = { fetch: () => new Response("") };
    expect(await configure(() => app)).toMatchObject({ served: { kind: "fetch", app }, isDefault: false });
    expect(await configure((_app) => app)).toMatchObject({ served: { kind: "fetch", app }, isDefault: false });
  });

  test("passes its errors on as they are", async () => {
    const broken = new Error("broken");
    await expect(configure(async (_app) => Promise.reject(broken))).rejects.toBe(broken);
    await expect(
      configure(() => {
        throw broken;
      }),
    ).rejects.toBe(broken);
    await expect(configure(() => undefined)).rejects.toMatchObject({ code: "ERR_CHOIR_NO_APP" });
  });
});

describe("the container", () => {
  test("is on the app and on what is registered in it", async () => {
    const { app, container } = await setup();
    expect(app.container).toBe(container);
    await app.register(async (inner) => void inner.get("/", () => inner.container.cradle.instance.name));
    expect((await app.inject("/")).body).toBe("test");
  });

  test("of a request is one scope, disposed after the response, and made only when asked for", async () => {
    const { app, container } = await setup();
    const dispose = vi.fn();
    const createScope = vi.spyOn(container, "createScope");
    const own = container.register({
      session: asFunction(() => ({}))
        .scoped()
        .disposer(dispose),
    });
    app.get("/unused", () => "unused");
    app.get("/used", (request) => {
      expect(request.container).toBe(request.container);
      expect(request.container).not.toBe(own);
      return { same: request.container.resolve("session") === request.container.resolve("session") };
    });
    await app.inject("/unused");
    expect(createScope).not.toHaveBeenCalled();
    expect((await app.inject("/used")).json()).toEqual({ same: true });
    await vi.waitFor(() => expect(dispose).toHaveBeenCalledOnce());
    await app.inject("/used");
    expect(createScope).toHaveBeenCalledTimes(2);
  });

  test("of a request is there when no route matches", async () => {
    const { app } = await setup();
    app.setNotFoundHandler((request) => request.container.cradle.instance.name);
    expect((await app.inject("/nothing")).body).toBe("test");
  });

  test("that cannot be disposed of is logged, and nothing else happens", async () => {
    const { app, container, lines } = await setup();
    const fail = async (): Promise<void> => Promise.reject(new Error("still busy"));
    container.register({
      session: asFunction(() => ({}))
        .scoped()
        .disposer(fail),
    });
    app.get("/", (request) => Boolean(request.container.resolve("session")));
    expect((await app.inject("/")).statusCode).toBe(200);
    await vi.waitFor(() => expect(lines).toMatchObject([{ level: 50, err: { message: "still busy" } }]));
  });
});

describe("the logger", () => {
  test("writes nothing for a request, what a handler writes with the request's id, and the errors", async () => {
    const { app, lines } = await setup();
    app.get("/quiet", () => "quiet");
    app.get("/says", (request) => {
      request.log.info({ user: 7 }, "said %s", "it");
      return "said";
    });
    app.get("/fails", () => {
      throw new Error("broken");
    });
    await app.inject("/quiet");
    await app.inject("/nothing");
    expect(lines).toEqual([]);
    await app.inject("/says");
    expect(lines).toMatchObject([{ level: 30, msg: "said it", user: 7, reqId: expect.any(String) }]);
    await app.inject("/fails?secret=1");
    expect(lines[1]).toMatchObject({ level: 50, err: { message: "broken" }, req: { method: "GET", path: "/fails" } });
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  test("of a route or a plugin has the level and the serializers that it was given", async () => {
    const { app, lines } = await setup();
    const say = (request: FastifyRequest): string => {
      request.log.info({ secret: 1 }, "said");
      return "said";
    };
    const logSerializers = { secret: () => "hidden" };
    app.get("/quiet", { logLevel: "warn" }, say);
    app.get("/hidden", { logSerializers }, say);
    await app.register(async (plugin) => plugin.setNotFoundHandler(say), { prefix: "/plugin", logLevel: "warn" });
    await app.register(async (plugin) => void plugin.get("/", say), { prefix: "/other", logSerializers });
    for (const url of ["/quiet", "/plugin/nothing"]) await app.inject(url);
    expect(lines).toEqual([]);
    for (const url of ["/hidden", "/other"]) await app.inject(url);
    const line = { msg: "said", secret: "hidden", reqId: expect.any(String) };
    expect(lines).toMatchObject([line, line]);
  });

  test("of a request is what the app's own factory makes of it", async () => {
    for (const how of ["called", "option"]) {
      const made: unknown[] = [];
      const factory: FastifyInstance["childLoggerFactory"] = (_none, bindings) => {
        made.push(bindings);
        return app.log;
      };
      const { app, lines } = await setup(how === "option" ? { childLoggerFactory: factory } : {});
      if (how === "called") app.setChildLoggerFactory(factory);
      app.get("/", { logLevel: "warn" }, (request) => {
        request.log.info("mine");
        return "ok";
      });
      await app.inject("/");
      expect(made, how).toEqual([{ reqId: expect.any(String) }]);
      expect(lines, how).toMatchObject([{ msg: "mine" }]);
    }
  });

  test("of the app is the instance's, or the user's own", async () => {
    const { app, lines } = await setup();
    app.log.info("hello");
    expect(lines).toMatchObject([{ msg: "hello" }]);
    const own: string[] = [];
    const { app: other } = await setup({ loggerInstance: pino({}, { write: (line: string) => void own.push(line) }) });
    other.get("/", (request) => {
      request.log.info("mine");
      return "ok";
    });
    await other.inject("/");
    expect(own).toHaveLength(1);
  });
});

test("the user's own log controller is told of requests, and they have their scopes and loggers all the same", async () => {
  const told: string[] = [];
  class Told extends LogController {
    override incomingRequest(request: FastifyRequest): void {
      told.push(request.url);
    }
  }
  const { app, lines } = await setup({ logController: new Told({ disableRequestLogging: true }) });
  app.get("/", (request) => {
    request.log.info("said");
    return request.container.cradle.instance.name;
  });
  expect((await app.inject("/")).body).toBe("test");
  expect(told).toEqual(["/"]);
  expect(lines).toMatchObject([{ msg: "said" }]);
});

test("the user's Fastify options are passed on", async () => {
  const { app } = await setup({ bodyLimit: 3 });
  app.post("/", () => "ok");
  expect((await app.inject({ method: "POST", url: "/", payload: { long: "body" } })).statusCode).toBe(413);
});
