/** What the end of a program costs: requests that it had taken are answered; those that come later are refused, and none waits. */
import { describe, expect, test } from "vitest";
import { until } from "../helpers/start-runner.ts";
import type { Failure } from "./clients/journal.ts";
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
import { expectNoLoss, sentence } from "./verdict.ts";

const CROWDS = [KEEP_ALIVE, KEEP_ALIVE_SLOW, NEW_CONNECTION, PIPELINING, SERVER_SENT_EVENTS, SLOW_UPLOAD];
const PROTOCOLS: readonly Protocol[] = ["HTTP/1.1", "Unix socket"];

/** A Unix socket that is gone has no file. */
const isRefused = ({ what }: Failure): boolean => /ECONNREFUSED|ENOENT/.test(what);
/**
 * An idle connection is closed in good order after --idle-grace. The request of a client that rests longer can cross that on the
 * wire: it gets the end of the connection, no reset and no byte of an answer.
 */
const crossedTheEnd = ({ client, what }: Failure): boolean =>
  client === KEEP_ALIVE_SLOW.name && what.includes("UND_ERR_SOCKET other side closed");

/**
 * Linux resets what it has completed and nobody has accepted when the last listener closes. Between the last look at the queue
 * and the close there are microseconds: a few may meet them, on connections that never got an answer.
 */
const metTheClose = ({ what, pid }: Failure): boolean => pid === undefined && what.includes("ECONNRESET");
const MEETINGS = 3;

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
    const except = (failure: Failure): boolean => isRefused(failure) || crossedTheEnd(failure) || metTheClose(failure);
    expectNoLoss(load, runner, { except });
    expect(load.journal.failures.some(isRefused)).toBe(true);
    const met = load.journal.failures.filter(metTheClose);
    expect(met.length, met.map((failure) => sentence(failure, runner.lines)).join("\n")).toBeLessThanOrEqual(MEETINGS);
    console.log(`${signal}: ${met.length} met the close`);
  });
});
