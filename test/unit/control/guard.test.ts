import { describe, expect, it } from "vitest";
import { foreignRequest } from "../../../src/control/guard.ts";

describe("foreignRequest", () => {
  it.each(["127.0.0.1:9464", "127.0.0.1", "localhost:9464", "LOCALHOST", "[::1]:9464", "10.1.2.3:9464"])(
    "lets a client ask for %s on a loopback address",
    (host) => {
      expect(foreignRequest({ host }, true)).toBeUndefined();
      expect(foreignRequest({ host, origin: `http://${host}` }, true)).toBeUndefined();
    },
  );

  it.each([
    ["a name that was made to point here", { host: "evil.example:9464" }],
    ["a name that looks like ours", { host: "localhost.evil.example" }],
    ["an address that is none", { host: "127.0.0.1.evil.example" }],
    ["no name", {}],
    ["brackets with something else", { host: "[evil.example]:80" }],
    ["another site", { host: "127.0.0.1:9464", origin: "http://evil.example" }],
    ["a sandbox", { host: "127.0.0.1:9464", origin: "null" }],
    ["another port of this machine", { host: "127.0.0.1:9464", origin: "http://127.0.0.1:8080" }],
    ["a browser that says so", { host: "127.0.0.1:9464", "sec-fetch-site": "cross-site" }],
  ])("refuses %s", (_, headers) => {
    expect(foreignRequest(headers, true)).toEqual(expect.any(String));
  });

  it("knows no names of other addresses, but sites there too", () => {
    expect(foreignRequest({ host: "app.internal:9464" }, false)).toBeUndefined();
    expect(foreignRequest({ host: "app.internal:9464", origin: "http://evil.example" }, false)).toEqual(
      expect.any(String),
    );
  });
});
