// Who may do what on the dashboard's port: without processes and sockets, all of it is decided by headers.
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, it } from "vitest";
import { type AccessRules, denialOf, sessionOf, type Wish } from "../../../../src/control/dashboard/access.ts";
import { Token } from "../../../../src/control/dashboard/token.ts";

const TOKEN = "0123456789abcdef";
const OPEN: AccessRules = { host: "127.0.0.1", isLoopback: true, token: undefined };
const LOCKED: AccessRules = { ...OPEN, token: new Token(TOKEN) };
const PUBLIC: AccessRules = { host: "0.0.0.0", isLoopback: false, token: new Token(TOKEN) };
const HOST = "127.0.0.1:9465";
const RIGHT = `Bearer ${TOKEN}`;

function status(headers: IncomingHttpHeaders, wish: Wish, rules: AccessRules): number {
  return denialOf(headers, wish, rules)?.status ?? 200;
}

describe("a loopback address without a token", () => {
  it.each([HOST, "127.0.0.1", "localhost:9465", "LOCALHOST", "[::1]:9465", "localhost:8080"])(
    "shows everything to who asks with %s, and lets nobody change anything",
    (host) => {
      expect(status({ host }, "page", OPEN)).toBe(200);
      expect(status({ host, origin: `http://${host}` }, "view", OPEN)).toBe(200);
      expect(status({ host }, "session", OPEN)).toBe(200);
      expect(status({ host }, "change", OPEN)).toBe(403);
      expect(status({ host, authorization: RIGHT }, "change", OPEN)).toBe(403);
      expect(sessionOf({ host }, OPEN)).toEqual({ view: true, change: false, token: "none" });
    },
  );

  it.each([
    ["a name that was made to point here", { host: "evil.example:9465" }],
    ["a name that looks like ours", { host: "localhost.evil.example" }],
    ["an address that is none", { host: "127.0.0.1.evil.example" }],
    ["another address", { host: "10.1.2.3:9465" }],
    ["no name", {}],
    ["an empty name", { host: "" }],
    ["brackets with something else", { host: "[evil.example]:80" }],
    ["another site", { host: HOST, origin: "http://evil.example" }],
    ["a sandbox", { host: HOST, origin: "null" }],
    ["another port of this machine", { host: HOST, origin: "http://127.0.0.1:8080" }],
    ["a browser that says so", { host: HOST, "sec-fetch-site": "cross-site" }],
    ["a sibling that a browser tells of", { host: HOST, "sec-fetch-site": "same-site" }],
  ])("refuses %s, whatever it wants", (_, headers: IncomingHttpHeaders) => {
    for (const wish of ["page", "session", "view", "change"] as const)
      expect(denialOf(headers, wish, OPEN)).toMatchObject({ status: 403, message: expect.any(String) });
  });

  it("is open by its own name", () => {
    expect(status({ host: "Box.internal:9465" }, "view", { ...OPEN, host: "box.internal" })).toBe(200);
  });
});

describe("a loopback address with a token", () => {
  it("shows without it, and changes with it only", () => {
    expect(status({ host: HOST }, "view", LOCKED)).toBe(200);
    expect(status({ host: HOST }, "change", LOCKED)).toBe(401);
    expect(status({ host: HOST, authorization: "Bearer 0123456789abcdeX" }, "change", LOCKED)).toBe(401);
    expect(status({ host: HOST, authorization: `${RIGHT}X` }, "change", LOCKED)).toBe(401);
    expect(status({ host: HOST, authorization: `Basic ${TOKEN}` }, "change", LOCKED)).toBe(401);
    expect(status({ host: HOST, authorization: RIGHT }, "change", LOCKED)).toBe(200);
    expect(sessionOf({ host: HOST, authorization: RIGHT }, LOCKED)).toEqual({
      view: true,
      change: true,
      token: "right",
    });
  });

  it("goes without the name of this machine behind a proxy, where nothing is shown without the token", () => {
    const host = "status.example";
    expect(status({ host }, "page", LOCKED)).toBe(200);
    expect(status({ host }, "view", LOCKED)).toBe(401);
    expect(status({ host, authorization: RIGHT, origin: "https://status.example" }, "change", LOCKED)).toBe(200);
    expect(sessionOf({ host }, LOCKED)).toEqual({ view: false, change: false, token: "missing" });
  });

  it("refuses another site even with the token", () => {
    const headers = { host: HOST, authorization: RIGHT, origin: "https://evil.example" };
    expect(status(headers, "change", LOCKED)).toBe(403);
    expect(status({ host: HOST, authorization: RIGHT, "sec-fetch-site": "cross-site" }, "view", LOCKED)).toBe(403);
  });
});

describe("an address that others reach", () => {
  it("shows nothing but the page without the token", () => {
    const host = "10.1.2.3:9465";
    expect(status({ host }, "page", PUBLIC)).toBe(200);
    expect(status({ host }, "session", PUBLIC)).toBe(200);
    expect(status({ host }, "view", PUBLIC)).toBe(401);
    expect(status({ host: HOST }, "view", PUBLIC)).toBe(401);
    expect(status({ host, authorization: RIGHT }, "view", PUBLIC)).toBe(200);
    expect(sessionOf({ host, authorization: "Bearer wrong" }, PUBLIC)).toEqual({
      view: false,
      change: false,
      token: "wrong",
    });
  });
});

it("a link on another page leads to the page, and to nothing else", () => {
  const link = {
    host: HOST,
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
  };
  expect(status(link, "page", OPEN)).toBe(200);
  expect(status(link, "view", OPEN)).toBe(403);
  expect(status({ ...link, "sec-fetch-dest": "iframe" }, "page", OPEN)).toBe(403);
});

it.each(["short", "with a space in it", "with-ümläuts-in-it", "line\nbreak-in-the-middle"])(
  "a token like %j is refused, and not quoted",
  (text) => {
    expect(() => new Token(text)).toThrow(/at least 16 characters/);
    expect(() => new Token(text)).not.toThrow(text);
  },
);
