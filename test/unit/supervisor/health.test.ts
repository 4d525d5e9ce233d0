// What orchestrators are told, and where.
import { describe, expect, it } from "vitest";
import { healthAnswer, healthEndpoint } from "../../../src/supervisor/health.ts";

const running = { state: "running", ready: 2, instances: 2 } as const;

describe("healthAnswer", () => {
  it.each([
    ["GET", "/livez", undefined, 200, "alive"],
    ["GET", "/livez", { ...running, state: "stopping" as const }, 200, "alive"],
    ["GET", "/readyz", undefined, 503, "not-ready"],
    ["GET", "/readyz", running, 200, "ready"],
    ["HEAD", "/readyz", { ...running, ready: 1 }, 200, "ready"],
    ["GET", "/readyz", { ...running, ready: 0 }, 503, "not-ready"],
    ["GET", "/readyz", { ...running, state: "restarting" as const }, 200, "ready"],
    ["GET", "/readyz", { ...running, state: "stopping" as const }, 503, "stopping"],
  ])("%s %s of %j is %i", (method, path, snapshot, status, word) => {
    expect(healthAnswer(method, path, snapshot)).toMatchObject({ status, body: { status: word } });
  });

  it.each([
    ["POST", "/livez", 405],
    ["GET", "/", 404],
    ["GET", "/livez/", 404],
  ])("%s %s is %i", (method, path, status) => {
    expect(healthAnswer(method, path, running).status).toBe(status);
  });
});

describe("healthEndpoint", () => {
  it.each([
    ["9000", "127.0.0.1", 9000],
    ["0.0.0.0:9000", "0.0.0.0", 9000],
    ["[::1]:0", "[::1]", 0],
    ["localhost:9000", "localhost", 9000],
    ["unix:/run/x:1", "unix:/run/x:1", 0],
  ])("reads %s", (text, host, port) => {
    expect(healthEndpoint(text)).toEqual({ host, port });
  });

  it.each(["", "x", "127.0.0.1", "::1:9000", "127.0.0.1:70000", "127.0.0.1:", ":9000"])("refuses %j", (text) => {
    expect(() => healthEndpoint(text)).toThrow(/--health-address must be/);
  });
});
