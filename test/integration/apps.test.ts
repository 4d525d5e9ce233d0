/** Every kind of app that configureServer can return, served by real instances. */
import { describe, expect, it } from "vitest";
import { ask, startRunner } from "../helpers/start-runner.ts";

describe("apps", () => {
  it.each([
    ["plain.mjs", "/x", "plain /x"],
    ["express.mjs", "/", "express"],
    ["fetch.mjs", "/x", "fetch /x"],
    ["http-server.mjs", "/x", "server /x"],
    ["koa.mjs", "/x", "koa /x"],
    ["hono.mjs", "/x", "hono /x"],
    ["nest.mjs", "/x", "nest /x"],
  ])("%s", async (app, path, body) => {
    await using runner = startRunner(app, { instances: 2 });
    const url = await runner.ready(2);
    expect(await ask(url + path)).toMatchObject({ status: 200, body });
    // No header that it did not ask for.
    expect((await ask(url + path)).headers).not.toHaveProperty("x-frame-options");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
  });

  it("the default app carries the original's two headers", async () => {
    await using runner = startRunner("hello.mjs");
    const url = await runner.ready(1);
    const { headers } = await ask(`${url}/nowhere`);
    expect(headers).toMatchObject({ "x-frame-options": "SAMEORIGIN", "x-content-type-options": "nosniff" });
  });
});
