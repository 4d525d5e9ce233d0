// What authors of apps test with: instances in one process, that reach each other, log into arrays and hide no error.
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { asValue } from "awilix";
import express from "express";
import { describe, expect, it, vi } from "vitest";
import { instance, logger, pubSub } from "../../src/instance/api.ts";
import type { App } from "../../src/instance/fastify-app.ts";
import { createTestInstances, type TestInstances } from "../../src/testing.ts";

async function greet(app: App): Promise<void> {
  const { pubSub, instance } = app.container.cradle;
  let greeting = "hello";
  await pubSub.subscribe<string>("greeting_changed", (next) => {
    greeting = next;
  });
  app.get("/greeting", () => greeting);
  app.get("/id", () => String(instance.id));
  app.get("/change/:next", async (request) => {
    ({ next: greeting } = request.params as { next: string });
    await pubSub.publish("greeting_changed", greeting, { retain: true });
    return greeting;
  });
}

async function outcome(tests: TestInstances): Promise<unknown> {
  return tests.close().then(
    () => "fine",
    (error: unknown) => error,
  );
}

describe("createTestInstances", () => {
  it("makes one instance, or as many as asked for, with metadata as in production", async () => {
    await using one = createTestInstances();
    expect(one.instances).toHaveLength(1);
    await using three = createTestInstances(3, { name: "shop" });
    expect(three.instances.map(({ instance }) => instance)).toMatchObject(
      [0, 1, 2].map((id) => ({ id, name: "shop", concurrency: 3, generation: 0, restarts: 0, pid: process.pid })),
    );
    expect(new Set(three.instances.map(({ instance }) => instance.uid)).size).toBe(3);
    expect(three.instances[0]!.instance.startedAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses to make %s instances", (count) => {
    expect(() => createTestInstances(count)).toThrow(RangeError);
  });

  it("lets apps talk to each other, and not to themselves", async () => {
    await using tests = createTestInstances(3);
    const [first, second, third] = await Promise.all(tests.instances.map((one) => one.app(greet)));
    expect((await first!.inject("/change/hi")).body).toBe("hi");
    await tests.delivered();
    expect((await second!.inject("/greeting")).body).toBe("hi");
    expect((await third!.inject("/greeting")).body).toBe("hi");
    expect((await third!.inject("/id")).body).toBe("2");
  });

  it("delivered() waits for everything published, closed instances or not", async () => {
    const tests = createTestInstances(3);
    const [first, second, third] = tests.instances;
    const heard: unknown[] = [];
    await second!.pubSub.subscribe("n", (value) => heard.push(value));
    await third!.close();
    for (let n = 0; n < 1000; n += 1) void first!.pubSub.publish("n", n);
    await tests.delivered();
    expect(heard).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    await tests.close();
  });

  it("gives Fastify's and the Runner's options to the app, and runs the hooks in their order", async () => {
    const order: string[] = [];
    await using tests = createTestInstances();
    const app = await tests.instances[0]!.app(
      (app) => {
        order.push("configured");
        app.container.cradle.onShutdown(() => void order.push("registered"));
        app.container.register({ answer: asValue(42) });
        app.post("/", () => app.container.resolve("answer"));
      },
      {
        fastify: { bodyLimit: 10 },
        hooks: { startup: () => order.push("startup"), shutdown: [() => order.push("shutdown")] },
      },
    );
    expect((await app.inject({ method: "POST", url: "/" })).body).toBe("42");
    expect((await app.inject({ method: "POST", url: "/", payload: { long: "0123456789" } })).statusCode).toBe(413);
    await tests.close();
    expect(order).toEqual(["configured", "startup", "registered", "shutdown"]);
  });

  it.each([
    ["takes none", () => express()],
    ["returns another", (_app: App) => express()],
  ])("app() refuses a configureServer that %s, and says what to use", async (_, configureServer) => {
    await using tests = createTestInstances();
    await expect(tests.instances[0]!.app(configureServer)).rejects.toMatchObject({
      code: "ERR_CHOIR_NO_APP",
      hint: expect.stringContaining("serve(configureServer)"),
    });
  });
});

describe("serve()", () => {
  it("serves any app on a port of its own, with the headers of the Runner's options", async () => {
    await using tests = createTestInstances(2);
    const options = { responseHeaders: { "X-Test": "yes" }, removeResponseHeaders: ["X-Powered-By"] };
    const createApp = () => {
      const app = express();
      app.get("/", (_request, response) => response.send("express"));
      return app;
    };
    const urls = await Promise.all([
      tests.instances[0]!.serve(createApp, options),
      tests.instances[1]!.serve((app) => void app.get("/", () => "fastify"), options),
    ]);
    expect(urls[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const answers = await Promise.all(urls.map((url) => fetch(url)));
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(["express", "fastify"]);
    for (const { headers } of answers) {
      expect(headers.get("x-test")).toBe("yes");
      expect(headers.get("x-powered-by")).toBeNull();
    }
    expect(answers.map(({ headers }) => headers.get("x-frame-options"))).toEqual([null, "SAMEORIGIN"]);
    await tests.close();
    await expect(fetch(urls[0])).rejects.toThrow();
  });

  it("passes on what configureServer throws, and refuses what is no app", async () => {
    await using tests = createTestInstances();
    await expect(tests.instances[0]!.serve(() => Promise.reject(new Error("no database")))).rejects.toThrow(
      "no database",
    );
    const listening = createServer();
    await new Promise<void>((resolve) => {
      listening.listen(0, "127.0.0.1", resolve);
    });
    expect((listening.address() as AddressInfo).port).toBeGreaterThan(0);
    await expect(tests.instances[0]!.serve(() => listening)).rejects.toMatchObject({ code: "ERR_CHOIR_APP_LISTENS" });
    listening.close();
  });
});

describe('"choir/instance"', () => {
  it("stands for the first instance until the instances are closed", async () => {
    const tests = createTestInstances(2, { name: "borrowed" });
    const heard: unknown[] = [];
    await tests.instances[1]!.pubSub.subscribe("news", (value) => heard.push(value));
    await pubSub.publish("news", 1);
    await tests.delivered();
    expect(heard).toEqual([1]);
    logger.warn("by the logger of choir/instance");
    expect(instance.uid).toBe(tests.instances[0]!.instance.uid);
    expect(tests.instances[0]!.logs).toMatchObject([{ level: 40, msg: "by the logger of choir/instance" }]);
    await tests.close();
    expect(instance.name).toBe("app");
  });
});

describe("logs", () => {
  it("are kept as the supervisor would print them, and written nowhere", async () => {
    const write = vi.spyOn(process.stdout, "write");
    await using tests = createTestInstances(2);
    const app = await tests.instances[1]!.app((app) => {
      app.get("/", (request) => {
        request.log.warn({ answer: 42 }, "from the request");
        throw new TypeError("from the handler");
      });
    });
    expect((await app.inject("/")).statusCode).toBe(500);
    expect(tests.instances[1]!.logs).toMatchObject([
      { level: 40, answer: 42, msg: "from the request", name: "test", instance: 1, generation: 0 },
      { level: 50, err: { type: "TypeError" } },
    ]);
    expect(tests.instances[0]!.logs).toEqual([]);
    expect(write).not.toHaveBeenCalled();
    write.mockRestore();
  });

  it("go where they were asked to as well", async () => {
    const lines: string[] = [];
    await using tests = createTestInstances(1, { logTo: { write: (line) => lines.push(line) } });
    tests.instances[0]!.logger.info("hello");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toEqual(tests.instances[0]!.logs[0]);
  });
});

describe("errors of handlers", () => {
  async function failing(): Promise<TestInstances> {
    const tests = createTestInstances(2);
    await tests.instances[1]!.pubSub.subscribe("orders.*", () => Promise.reject(new Error("out of stock")));
    await tests.instances[0]!.pubSub.publish("orders.new", 1);
    await tests.delivered();
    return tests;
  }

  it("are logged as in production, and can be taken", async () => {
    await using tests = await failing();
    expect(tests.instances[1]!.logs).toMatchObject([
      { level: 50, topic: "orders.new", err: { message: "out of stock" } },
    ]);
    expect(tests.takeHandlerErrors()).toMatchObject([
      { topic: "orders.new", instance: 1, error: { message: "out of stock" } },
    ]);
    expect(tests.takeHandlerErrors()).toEqual([]);
  });

  it("make close() reject when nobody took them", async () => {
    const tests = await failing();
    const error = await outcome(tests);
    expect(error).toMatchObject({ message: 'A handler of topic "orders.new" in instance 1 failed' });
    expect((error as Error).cause).toMatchObject({ message: "out of stock" });
  });
});

describe("close()", () => {
  it("closes apps, then runs the hooks, last registered first, then leaves the broker; a second call does nothing", async () => {
    const tests = createTestInstances();
    const [one] = tests.instances;
    const order: string[] = [];
    const app = await one!.app((app) => {
      app.addHook("onClose", () => void order.push("app"));
    });
    one!.onShutdown(() => void order.push("first"));
    one!.onShutdown(async () => {
      order.push("second");
      await one!.pubSub.publish("bye", 1);
    });
    await tests.close();
    await tests.close();
    expect(order).toEqual(["app", "second", "first"]);
    await expect(one!.pubSub.publish("a", 1)).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
    expect((await app.inject("/").catch(() => ({ statusCode: 503 }))).statusCode).toBe(503);
  });

  it("closes everything, whatever fails, and says all of it", async () => {
    const tests = createTestInstances(2);
    const order: string[] = [];
    const [first, second] = tests.instances;
    first!.onShutdown(() => void order.push("runs"));
    first!.onShutdown(() => {
      throw new Error("hook of the first");
    });
    await second!.app((app) => {
      app.addHook("onClose", () => Promise.reject(new Error("app of the second")));
    });
    second!.onShutdown(() => void order.push("runs too"));
    const error = await outcome(tests);
    expect(order.toSorted()).toEqual(["runs", "runs too"]);
    expect((error as AggregateError).errors.map(String)).toEqual([
      "Error: hook of the first",
      "Error: app of the second",
    ]);
    await expect(second!.pubSub.publish("a", 1)).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("closes the app of a configureServer that threw", async () => {
    const tests = createTestInstances();
    const closed = vi.fn();
    await expect(
      tests.instances[0]!.app((app) => {
        app.addHook("onClose", async () => closed());
        throw new Error("no database");
      }),
    ).rejects.toThrow("no database");
    await tests.close();
    expect(closed).toHaveBeenCalledOnce();
  });
});
