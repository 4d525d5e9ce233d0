// What a service manager passes by the environment: sockets with their names, where to notify, the watchdog.
import { describe, expect, it } from "vitest";
import { takeServiceManager } from "../../../src/options/service-manager.ts";

const NOTHING = { sockets: [], notify: undefined };

describe("takeServiceManager", () => {
  it.each<[string, NodeJS.ProcessEnv, object]>([
    ["nothing", {}, NOTHING],
    [
      "sockets with their names",
      { LISTEN_PID: "7", LISTEN_FDS: "3", LISTEN_FDNAMES: "web:admin" },
      {
        ...NOTHING,
        sockets: [
          { fd: 3, name: "web" },
          { fd: 4, name: "admin" },
          { fd: 5, name: "unknown" },
        ],
      },
    ],
    [
      "a socket without a name",
      { LISTEN_PID: "7", LISTEN_FDS: "1" },
      { ...NOTHING, sockets: [{ fd: 3, name: "unknown" }] },
    ],
    ["sockets for another process", { LISTEN_PID: "8", LISTEN_FDS: "1" }, { ...NOTHING, strangerPid: 8 }],
    ["sockets for nobody", { LISTEN_FDS: "1" }, NOTHING],
    ["no sockets", { LISTEN_PID: "8", LISTEN_FDS: "0" }, NOTHING],
    ["a number that is none", { LISTEN_PID: "7", LISTEN_FDS: "-1" }, NOTHING],
    [
      "a path to notify",
      { NOTIFY_SOCKET: "/run/systemd/notify" },
      { ...NOTHING, notify: { socket: "/run/systemd/notify", watchdogMs: undefined } },
    ],
    [
      "an abstract name and a watchdog",
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" },
      { ...NOTHING, notify: { socket: "@x", watchdogMs: 30_000 } },
    ],
    [
      "a watchdog of another process",
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" },
      { ...NOTHING, notify: { socket: "@x", watchdogMs: undefined } },
    ],
    ["an address of another kind", { NOTIFY_SOCKET: "vsock:2:1" }, NOTHING],
    ["an abstract socket without a name", { NOTIFY_SOCKET: "@" }, NOTHING],
  ])("takes %s", (_, variables, expected) => {
    const environment = { ...variables, PATH: "/bin" };
    expect(takeServiceManager(environment, 7)).toEqual(expected);
    expect(environment).toEqual({ PATH: "/bin" });
  });
});
