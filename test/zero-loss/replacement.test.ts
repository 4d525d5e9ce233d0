/** One instance after another is replaced at its own wish, as by a SIGTERM that reaches it alone, under every kind of client. */
import { expect, test } from "vitest";
import { EVERYONE, startLoad } from "./load.ts";
import { answers, readyPids, replace, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const REPLACEMENTS = 10;

async function replaceUnderLoad(app: string): Promise<{ load: ReturnType<typeof startLoad>; verify: () => void }> {
  const { runner, target } = await startProgram("HTTP/1.1", { app });
  await using _ = runner;
  const load = startLoad(target, EVERYONE, 2);
  for (let n = 0; n < REPLACEMENTS; n++) {
    await answers(load, 200);
    await replace(runner, readyPids(runner)[0]!);
  }
  await answers(load, 500);
  await load.stop();
  expect(runner.events("instance-leaving")).toHaveLength(REPLACEMENTS);
  return { load, verify: () => expectNoLoss(load, runner) };
}

test("no request is lost when instances leave one after another", async () => {
  const { verify } = await replaceUnderLoad("everything.mjs");
  verify();
});

test("the same clients lose some when the app calls the server's own close: they can tell", async () => {
  const { load } = await replaceUnderLoad("stock-close.mjs");
  expect(load.journal.failures.length).toBeGreaterThan(0);
  console.log(`stock close(): ${load.journal.failures.length} lost of ${load.journal.total()}`);
});
