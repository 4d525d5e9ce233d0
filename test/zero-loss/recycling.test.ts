/** R15: instances that are replaced for their age, their requests or their memory, under load, cost no request. */
import { expect, test } from "vitest";
import { EVERYONE, startLoad } from "./load.ts";
import { answers, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

test.each([
  ["max-requests", "400", 2],
  ["max-age", "2s", 2],
  // Above it from the start, which is given a minute's rest.
  ["max-memory", "20MB", 1],
] as const)("recycling by --%s %s loses nothing", async (reason, limit, times) => {
  const { runner, target } = await startProgram("HTTP/1.1", { args: [`--${reason}`, limit] });
  await using _ = runner;
  const load = startLoad(target, EVERYONE, 11);
  const recycled = await runner.eventCount("instance-recycled", times, 60_000);
  expect(recycled.map((line) => line["reason"])).toEqual(recycled.map(() => reason));
  await runner.eventCount("instance-ready", times + 2);
  await answers(load, 500);
  await load.stop();
  expectNoLoss(load, runner);
});
