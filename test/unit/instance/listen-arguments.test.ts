// Every form of net.Server.listen(), as Node documents them.
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readListenCall } from "../../../src/instance/listen-arguments.ts";

const callback = (): void => {};
const tcp = (port: number, host: string | null = null, ordinal = 0): object => ({
  kind: "tcp",
  host,
  port,
  ordinal,
  ipv6Only: false,
});
const read = (...args: unknown[]) => readListenCall(args, () => 7);

describe("a call of listen()", () => {
  it.each([
    [[3000], tcp(3000)],
    [["3000"], tcp(3000)],
    [[3000, "127.0.0.1"], tcp(3000, "127.0.0.1")],
    [[3000, "localhost", 511, callback], tcp(3000, "localhost")],
    [[3000, 511, callback], tcp(3000)],
    [[{ port: 3000 }, callback], tcp(3000)],
    [[{ port: "3000", host: "::1" }], tcp(3000, "::1")],
    [[{ port: 3000, host: "" }], tcp(3000)],
    [[{ port: 3000, reusePort: true }], tcp(3000)],
    [[{ port: 3000, exclusive: true }], tcp(3000)],
    [[0], tcp(0, null, 7)],
    [[{ port: 0, host: "::" }], tcp(0, "::", 7)],
    [[{ port: undefined, host: "::1" }], tcp(0, "::1", 7)],
    [[{ port: null }], tcp(0, null, 7)],
    [[{ port: 3000, fd: undefined }], tcp(3000)],
    [[], tcp(0, null, 7)],
    [[callback], tcp(0, null, 7)],
    [[undefined, "127.0.0.1"], tcp(0, "127.0.0.1", 7)],
    [["/run/app.sock"], { kind: "unix", path: "/run/app.sock" }],
    [["app.sock", callback], { kind: "unix", path: path.resolve("app.sock") }],
    [[{ path: "app.sock", writableAll: true }], { kind: "unix", path: path.resolve("app.sock"), mode: 0o666 }],
  ])("%j asks for %j", (args, wish) => {
    expect(read(...args).wish).toEqual(wish);
  });

  it.each([
    [{ fd: 5 }],
    [{ _handle: {} }],
    [{ port: 0, exclusive: true }],
    [{ port: undefined, exclusive: true }],
    [{ port: 70_000 }],
    [{ port: "x" }],
    [{ port: 3000, host: 5 }],
    [{ path: "\0abstract" }],
    [{}],
    [true],
    [-1],
  ])("%j is left to Node", (options) => {
    expect(read(options).wish).toBeUndefined();
  });

  it("keeps the callback, the signal and the path as written", () => {
    const { signal } = new AbortController();
    expect(read({ path: "app.sock", signal }, callback)).toMatchObject({ callback, signal, path: "app.sock" });
    expect(read(3000)).toMatchObject({ callback: undefined, signal: undefined });
  });
});
