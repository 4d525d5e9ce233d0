// What --pub-sub-url and its companions mean, and that no message shows a secret.
import { describe, expect, it } from "vitest";
import { engineSource } from "../../../src/options/engine-source.ts";
import { resolveOptions } from "../../../src/options/resolve.ts";

function source(...args: readonly string[]) {
  const resolution = resolveOptions({ args, environment: {}, code: {} });
  if (resolution.kind === "help") throw new Error("Got help");
  return engineSource(resolution.options, { name: "app", origins: resolution.origins, environment: {} });
}

const url = (text: string, ...more: readonly string[]) => source("--pub-sub-url", text, ...more);

describe("--pub-sub-url", () => {
  it.each([
    ["nats://h", "nats", "nats://h", ["h"], false, undefined, undefined],
    ["tls://h:4", "nats", "tls://h:4", ["h:4"], true, undefined, undefined],
    ["nats://token@h", "nats", "nats://h", ["h"], false, "token", undefined],
    ["nats://u:p%40ss@a:1,b:2, nats://c:3", "nats", "nats://a:1,b:2,c:3", ["a:1", "b:2", "c:3"], false, "u", "p@ss"],
    ["redis://:p@[::1]:6379/0", "redis", "redis://[::1]:6379", ["[::1]:6379"], false, undefined, "p"],
    ["rediss://u:p@h", "redis", "rediss://h", ["h"], true, "u", "p"],
  ] as const)("%s", (text, kind, shown, servers, encrypted, user, urlPassword) => {
    expect(url(text)).toMatchObject({ kind, shown, servers, encrypted, user, urlPassword, prefix: "app" });
  });

  it.each([
    "http://secret@h",
    "nats://secret:x@",
    "secret",
    "redis://secret@a,b",
    "nats://secret:%zz@h",
    "nats://secret@a,redis://b",
    "nats://h?password=secret",
    "nats://secret@h:99999",
  ])("refuses %s without showing it", (text) => {
    expect(() => url(text)).toThrow(/^--pub-sub-url must be /);
    expect(() => url(text)).not.toThrow(/secret/);
  });

  it("refuses what does not go together", () => {
    expect(source()).toBeUndefined();
    expect(() => source("--pub-sub-ca-file", "a")).toThrow("--pub-sub-ca-file has no effect without --pub-sub-url");
    expect(() => url("nats://u:p@h", "--pub-sub-password", "q")).toThrow("--pub-sub-url has a password");
    expect(() => url("redis://h", "--pub-sub-credentials-file", "a")).toThrow("is for NATS");
    expect(() => url("nats://h", "--pub-sub-key-file", "a")).toThrow("belong together");
    expect(() => url("nats://h", "--pub-sub-prefix", "a b")).toThrow("--pub-sub-prefix must be");
  });

  it("makes an encrypted connection of nats:// with an authority to check against", () => {
    expect(url("nats://h", "--pub-sub-ca-file", "/ca.pem")).toMatchObject({ encrypted: true, caFile: "/ca.pem" });
  });
});
