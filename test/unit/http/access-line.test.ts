import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Access, type AccessFormat, createAccessFormatter } from "../../../src/http/access-line.ts";

const ACCESS: Access = {
  time: Date.UTC(2026, 10, 2, 3, 4, 5, 678),
  method: "GET",
  path: "/a",
  protocol: "HTTP/1.1",
  client: "127.0.0.1",
  status: 200,
  bytes: 12,
  latencyMs: 1.23456,
  requestId: "ab-1",
  referer: "http://x/",
  userAgent: "curl/8",
  isAborted: false,
};

describe("access lines", () => {
  it("are Apache's with latency, instance and request id behind", () => {
    expect(createAccessFormatter("common", { instance: 3, isRaw: false })(ACCESS)).toBe(
      '127.0.0.1 - - [02/Nov/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 12 1.235 3 ab-1\n',
    );
    expect(createAccessFormatter("combined", { instance: 3, isRaw: false })(ACCESS)).toBe(
      '127.0.0.1 - - [02/Nov/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 12 "http://x/" "curl/8" 1.235 3 ab-1\n',
    );
  });

  it("have a dash for what there is not", () => {
    const bare = { ...ACCESS, client: undefined, bytes: 0, referer: undefined, userAgent: undefined };
    expect(createAccessFormatter("combined", { instance: 0, isRaw: false })(bare)).toBe(
      '- - - [02/Nov/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 - "-" "-" 1.235 0 ab-1\n',
    );
  });

  it("are JSON as pino's, and say that a request was cut off", () => {
    expect(
      JSON.parse(createAccessFormatter("json", { instance: 3, isRaw: false })({ ...ACCESS, isAborted: true })),
    ).toEqual({
      level: 30,
      time: ACCESS.time,
      msg: "request",
      method: "GET",
      path: "/a",
      protocol: "HTTP/1.1",
      status: 200,
      bytes: 12,
      latencyMs: 1.235,
      client: "127.0.0.1",
      requestId: "ab-1",
      referer: "http://x/",
      userAgent: "curl/8",
      aborted: true,
    });
  });

  it("have a dash for a request that never was one, and say in JSON why", () => {
    const refusal = { time: ACCESS.time, client: "127.0.0.1", status: 400, error: "HPE_INVALID_METHOD" };
    const line = (format: AccessFormat): string =>
      createAccessFormatter(format, { instance: 3, isRaw: false })(refusal);
    expect(line("common")).toBe('127.0.0.1 - - [02/Nov/2026:03:04:05 +0000] "-" 400 - - 3 -\n');
    expect(line("combined")).toBe('127.0.0.1 - - [02/Nov/2026:03:04:05 +0000] "-" 400 - "-" "-" - 3 -\n');
    expect(JSON.parse(line("json"))).toEqual({ level: 30, msg: "request", ...refusal });
  });

  it("name the instance in JSON for who gets it raw: the supervisor adds nothing there", () => {
    const line = createAccessFormatter("json", { instance: 3, isRaw: true })(ACCESS);
    expect(JSON.parse(line)).toMatchObject({ path: "/a", instance: 3 });
  });

  it("cannot be forged by anything that a client sends", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, text, (path, referer, userAgent) => {
        const line = createAccessFormatter("combined", { instance: 0, isRaw: false })({
          ...ACCESS,
          path,
          referer,
          userAgent,
        });
        expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
        // Three quoted fields, however many quotes are in them.
        expect(line.match(/(?<!\\)(?:\\\\)*"/g)).toHaveLength(6);
      }),
    );
  });
});
