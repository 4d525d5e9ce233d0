/** What the end of a program costs: requests that it had taken are answered; those that come later are refused, and none waits. */
import { describe, expect, test } from "vitest";
import { until } from "../helpers/start-runner.ts";
import { afterTheEnd, isRefused } from "./end-of-service.ts";
import {
  KEEP_ALIVE,
  KEEP_ALIVE_SLOW,
  NEW_CONNECTION,
  PIPELINING,
  SERVER_SENT_EVENTS,
  SLOW_UPLOAD,
  startLoad,
} from "./load.ts";
import { answers, type Protocol, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const CROWDS = [KEEP_ALIVE, KEEP_ALIVE_SLOW, NEW_CONNECTION, PIPELINING, SERVER_SENT_EVENTS, SLOW_UPLOAD];
const PROTOCOLS: readonly Protocol[] = ["HTTP/1.1", "TLS", "HTTP/2", "Unix socket"];

describe.each(PROTOCOLS)("%s", (protocol) => {
  test.each(["SIGTERM", "SIGKILL"] as const)("a %s of the supervisor under load costs no request", async (signal) => {
    const { runner, target } = await startProgram(protocol);
    await using _ = runner;
    const load = startLoad(target, CROWDS, 3);
    await answers(load, 1000);
    process.kill(runner.pid, signal);
    const before = load.journal.failures.length;
    expect(await runner.exit()).toMatchObject(signal === "SIGTERM" ? { code: 0 } : { signal });
    // Of a supervisor that was killed the instances end by themselves.
    await until(() => runner.survivors().length === 0, "the end of all instances");
    await load.stop();
    expect(before).toBe(0);
    expectNoLoss(load, runner, afterTheEnd(load));
    expect(load.journal.failures.some(isRefused)).toBe(true);
  });
});
