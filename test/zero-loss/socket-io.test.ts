/** R5 with a library in between: Socket.IO's own client comes back by itself, and what was acknowledged was done. */
import { expect, test } from "vitest";
import { socketIo } from "./clients/socket-io.ts";
import { startLoad } from "./load.ts";
import { answers, restart, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const RESTARTS = 5;
const CLIENTS = 20;

test(`Socket.IO loses no acknowledged message in ${RESTARTS} rolling restarts`, async () => {
  const args = ["--canary-time", "100ms", "--close-spread", "1s"];
  const { runner, target } = await startProgram("HTTP/1.1", { app: "../../fixtures/apps/socket-io.mjs", args });
  await using _ = runner;
  const load = startLoad(target, [{ name: "Socket.IO", client: socketIo, count: CLIENTS }], 1);
  for (let n = 1; n <= RESTARTS; n++) {
    await answers(load, 200);
    expect(await restart(runner)).toMatchObject({ outcome: "done", generation: n });
    // Else the newcomers that clients came back to would hold all of them at the next restart, and the others none.
    await runner.eventCount("instance-exited", 2 * n);
  }
  await answers(load, 200);
  await load.stop();
  expectNoLoss(load, runner);
  expect(load.journal.counts().get("Socket.IO")?.retried).toBeGreaterThanOrEqual(CLIENTS);
});
