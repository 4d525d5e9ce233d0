// Options in the environment, and the variables an instance is born with. No test reads the real environment.
import { describe, expect, it } from "vitest";
import { environmentText, instanceEnvironment, takeBirth, variablesOf } from "../../../src/options/environment.ts";
import { OPTION_NAMES, variableOf } from "../../../src/options/table.ts";
import { BIRTH_VARIABLE, type InstanceBirth } from "../../../src/protocol.ts";

const BIRTH: InstanceBirth = {
  info: {
    id: 2,
    uid: "k3f9",
    generation: 1,
    name: "example",
    concurrency: 4,
    startedAt: "2026-01-02T03:04:05.678Z",
    restarts: 3,
  },
  options: {
    ready: "auto",
    readinessPath: undefined,
    shutdownTimeout: 30_000,
    idleGrace: 500,
    drainDelay: 0,
    closeSpread: 10_000,
    useZone: false,
    trustRequestId: false,
    uncaught: "replace",
    backlog: 4096,
    heartbeatInterval: 1000,
    ssl: false,
    http2: false,
    keepAliveTimeout: 5000,
    requestTimeout: 300_000,
    headersTimeout: 60_000,
    maxRequestsPerSocket: 0,
    maxHeaderSize: 16_384,
    logLevel: "info",
    logRedact: undefined,
    logFormat: "auto",
    logFileFormat: "json",
    accessLog: undefined,
    accessLogQuery: false,
  },
  listeners: [{ fd: 4, address: "127.0.0.1:3000" }],
  pubSubFd: 3,
};

describe("environmentText", () => {
  it.each([
    [{ PORT: "80" }, { variable: "PORT", text: "80" }],
    [
      { PORT: "80", CHOIR_PORT: "81" },
      { variable: "CHOIR_PORT", text: "81" },
    ],
    [
      { PORT: "80", CHOIR_PORT: "" },
      { variable: "PORT", text: "80" },
    ],
    [{ PORT: "" }, undefined],
    [{}, undefined],
  ])("finds the port in %j", (environment, found) => {
    expect(environmentText("port", environment)).toEqual(found);
  });

  it("has a name of its own for every option, none of them the birth's", () => {
    const names = OPTION_NAMES.flatMap(variablesOf);
    expect(new Set(names).size).toBe(names.length);
    expect(names).not.toContain(BIRTH_VARIABLE);
    expect(variablesOf("startTimeout")).toEqual(["CHOIR_START_TIMEOUT"]);
  });
});

describe("an instance's environment", () => {
  it("carries the birth, which is taken once", () => {
    const environment = instanceEnvironment(BIRTH, { PATH: "/bin" });
    expect(environment).toEqual({
      PATH: "/bin",
      NODE_ENV: "production",
      NODE_APP_INSTANCE: "2",
      [BIRTH_VARIABLE]: JSON.stringify(BIRTH),
    });
    expect(takeBirth(environment)).toEqual(BIRTH);
    expect(environment).toEqual({ PATH: "/bin", NODE_ENV: "production", NODE_APP_INSTANCE: "2" });
    expect(takeBirth(environment)).toBeUndefined();
  });

  it.each([
    ["test", "test"],
    ["", "production"],
    [undefined, "production"],
  ])("has NODE_ENV %j as %j", (given, NODE_ENV) => {
    expect(instanceEnvironment(BIRTH, { NODE_ENV: given })).toMatchObject({ NODE_ENV });
  });

  it("keeps what apps read, and no option of Choir's", () => {
    const kept = { HOST: "::1", PORT: "80", WEB_CONCURRENCY: "2", CHOIR_SERVICE_HOST: "10.0.0.1" };
    const options = Object.fromEntries(OPTION_NAMES.map((name) => [variableOf(name), "x"]));
    expect(instanceEnvironment(BIRTH, { ...kept, ...options })).toEqual({ ...instanceEnvironment(BIRTH, {}), ...kept });
  });

  it("leaves the supervisor's own as it is", () => {
    const own = { CHOIR_PORT: "80" };
    instanceEnvironment(BIRTH, own);
    expect(own).toEqual({ CHOIR_PORT: "80" });
  });
});

describe("takeBirth", () => {
  it.each([
    ["no JSON", "1"],
    ["an empty text", ""],
    ["null", "null"],
    ["a list", "[]"],
    ["half of it", "{"],
    ["a part of it", JSON.stringify({ ...BIRTH, info: undefined })],
    ["a wrong type", JSON.stringify({ ...BIRTH, info: { ...BIRTH.info, id: "2" } })],
    ["a listener without a descriptor", JSON.stringify({ ...BIRTH, listeners: [{ address: "::1" }] })],
    ["no options", JSON.stringify({ ...BIRTH, options: {} })],
    ["no pipe", JSON.stringify({ ...BIRTH, pubSubFd: null })],
  ])("ignores and deletes %s", (_what, text) => {
    const environment = { [BIRTH_VARIABLE]: text };
    expect(takeBirth(environment)).toBeUndefined();
    expect(environment).toEqual({});
  });
});
