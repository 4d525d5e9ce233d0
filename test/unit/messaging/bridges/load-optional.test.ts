import { expect, it } from "vitest";
import { loadOptional } from "../../../../src/messaging/bridges/load-optional.ts";

it("says what to install when a client is missing, and what is wrong with one that is not", async () => {
  const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  await expect(loadOptional("nats", () => Promise.reject(missing))).rejects.toMatchObject({
    code: "ERR_CHOIR_ENGINE_PACKAGE",
    exitCode: 78,
    message: "--pub-sub-url needs the client of NATS, which is not installed",
    hint: "Install it beside the app: npm install @nats-io/transport-node @nats-io/jetstream @nats-io/kv",
  });
  const broken = new SyntaxError("Unexpected token");
  await expect(loadOptional("redis", () => Promise.reject(broken))).rejects.toMatchObject({
    message: "--pub-sub-url needs the client of Redis, which cannot be loaded",
    cause: broken,
  });
});
