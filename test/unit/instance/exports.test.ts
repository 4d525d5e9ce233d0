// What a file's exports are taken for.
import http from "node:http";
import { describe, expect, it } from "vitest";
import { exportNames, findExportedApp } from "../../../src/instance/exports.ts";

const listener = (_request: unknown, _response: unknown): void => {};
const other = (_request: unknown, _response: unknown): void => {};
const server = http.createServer();
const fetching = { fetch: () => new Response() };
const find = (module: object) => findExportedApp(module, "app.js");

describe("the exported app", () => {
  it.each([
    ["a default export", { default: listener }, { kind: "app", value: listener }],
    ["app", { app: server }, { kind: "app", value: server }],
    ["handler", { handler: listener, version: 3 }, { kind: "app", value: listener }],
    ["an object with fetch", { default: fetching }, { kind: "app", value: fetching }],
    ["the same one twice", { default: listener, app: listener }, { kind: "app", value: listener }],
    ["CommonJS with names", { default: { app: listener }, app: listener }, { kind: "app", value: listener }],
    ["CommonJS whose names Node does not see", { default: { app: listener } }, { kind: "app", value: listener }],
    ["transpiled CommonJS", { default: { __esModule: true, default: listener } }, { kind: "app", value: listener }],
    ["an app beside something else by default", { default: 42, app: listener }, { kind: "app", value: listener }],
  ])("%s", (_, module, app) => {
    expect(find(module)).toEqual(app);
  });

  it("configureServer, with or without a parameter", () => {
    const configureServer = async (): Promise<void> => {};
    expect(find({ configureServer })).toEqual({ kind: "configure", value: configureServer });
  });

  it("a function without parameters makes the app", () => {
    const bootstrap = async (): Promise<void> => {};
    expect(find({ default: bootstrap })).toEqual({ kind: "factory", value: bootstrap });
  });

  it.each([
    ["nothing", {}],
    ["other names", { start: listener, server }],
    ["nothing in CommonJS", { default: {} }],
    ["nothing in CommonJS, as newer versions show it", { default: {}, "module.exports": {} }],
    ["nothing in what was transpiled", { default: { __esModule: true }, __esModule: true }],
  ])("%s is no app", (_, module) => {
    expect(find(module)).toBeUndefined();
  });

  it.each([
    ["two apps", { default: listener, app: other }, /exports several apps: "default" and "app"/],
    [
      "a class",
      {
        default: class Server {
          name = "";
        },
      },
      /got class Server/,
    ],
    ["text", { default: "app" }, /what it exports must be an app, got "app"/],
    [
      "a function from Request to Response",
      { default: (request: Request) => new Response(request.url) },
      /1 parameter/,
    ],
    ["configureServer that is none", { configureServer: 42 }, /configureServer must be a function/],
  ])("%s is refused", (_, module, message) => {
    expect(() => find(module)).toThrow(message);
  });

  it("names what CommonJS exports", () => {
    expect(exportNames({ default: { __esModule: true, start: 1 } })).toEqual(["start"]);
    expect(exportNames({ default: {}, "module.exports": {} })).toEqual([]);
  });
});
