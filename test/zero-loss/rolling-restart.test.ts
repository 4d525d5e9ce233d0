/** R1 to R7: all kinds of clients at once, and the program under them restarted twenty times, for each protocol. */
import { describe, expect, test } from "vitest";
import { everyoneFor, startLoad } from "./load.ts";
import { answers, type Protocol, restart, startProgram } from "./program.ts";
import { expectNoLoss, summary } from "./verdict.ts";

const RESTARTS = 20;
const PROTOCOLS: readonly Protocol[] = ["HTTP/1.1", "TLS", "HTTP/2", "Unix socket"];

describe.each(PROTOCOLS)("%s", (protocol) => {
  test(`no request is lost in ${RESTARTS} rolling restarts`, async () => {
    const { runner, target } = await startProgram(protocol, { args: ["--canary-time", "100ms"] });
    await using _ = runner;
    const load = startLoad(target, everyoneFor(target), 1);
    for (let n = 1; n <= RESTARTS; n++) {
      await answers(load, 200);
      expect(await restart(runner)).toMatchObject({ outcome: "done", generation: n });
    }
    await answers(load, 500);
    await load.stop();
    expectNoLoss(load, runner);
    expect(load.journal.total()).toBeGreaterThan(RESTARTS * 200);
    console.log(`${protocol}: ${summary(load)}`);
  });
});
