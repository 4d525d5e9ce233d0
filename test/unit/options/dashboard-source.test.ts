import { describe, expect, it } from "vitest";
import { isLoopback, readEndpoint } from "../../../src/control/port.ts";
import { dashboardSource } from "../../../src/options/dashboard-source.ts";

const OPTIONS = {
  dashboard: true,
  dashboardAddress: "127.0.0.1:9465",
  dashboardToken: undefined,
  dashboardTokenFile: undefined,
};
const CONTEXT = { origins: {}, environment: {} };

describe("dashboardSource", () => {
  it("is nothing without --dashboard, whatever else stands ready in the environment", () => {
    const origins = { dashboardToken: { from: "environment", name: "CHOIR_DASHBOARD_TOKEN" } } as const;
    expect(dashboardSource({ ...OPTIONS, dashboard: false }, { ...CONTEXT, origins })).toBeUndefined();
  });

  it("refuses a flag that has no effect", () => {
    const origins = { dashboardAddress: { from: "flag", name: "--dashboard-address" } } as const;
    expect(() => dashboardSource({ ...OPTIONS, dashboard: false }, { ...CONTEXT, origins })).toThrow(
      "--dashboard-address has no effect without --dashboard",
    );
  });

  it("finds the token in its option, its file or systemd's credentials", () => {
    expect(dashboardSource({ ...OPTIONS, dashboardToken: "x" }, CONTEXT)?.token).toMatchObject({ value: "x" });
    expect(dashboardSource({ ...OPTIONS, dashboardTokenFile: "/t" }, CONTEXT)?.token).toMatchObject({
      file: "/t",
      optional: false,
    });
    const environment = { CREDENTIALS_DIRECTORY: "/run/credentials/shop" };
    expect(dashboardSource(OPTIONS, { ...CONTEXT, environment })?.token).toMatchObject({
      file: "/run/credentials/shop/dashboard-token",
      optional: true,
    });
    const both = { ...OPTIONS, dashboardToken: "x", dashboardTokenFile: "y" };
    expect(() => dashboardSource(both, CONTEXT)).toThrow("--dashboard-token and --dashboard-token-file are both given");
  });
});

describe("the port", () => {
  it.each([
    ["127.0.0.1:9465", "127.0.0.1", 9465, true],
    ["[::1]:0", "::1", 0, true],
    ["localhost:80", "localhost", 80, true],
    ["127.1.2.3:80", "127.1.2.3", 80, true],
    ["0.0.0.0:80", "0.0.0.0", 80, false],
    ["[::]:80", "::", 80, false],
    ["127.evil.example:80", "127.evil.example", 80, false],
  ])("of %s is read, and known to be this machine's alone or not", (address, host, port, loopback) => {
    expect(readEndpoint({ flag: "--dashboard", address })).toEqual({ host, port });
    expect(isLoopback(host)).toBe(loopback);
  });

  it.each(["9465", "[127.0.0.1]:80", "::1:80", "127.0.0.1:99999", "a b:80", "http://127.0.0.1:80", ""])(
    "of %j is refused",
    (address) => {
      expect(() => readEndpoint({ flag: "--dashboard", address })).toThrow("for example 127.0.0.1:9465");
    },
  );
});
