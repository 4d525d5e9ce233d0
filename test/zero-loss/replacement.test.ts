/** One instance after another is replaced at its own wish, as by a SIGTERM that reaches it alone, under every kind of client. */
import { expect, test } from "vitest";
import type { Running } from "../helpers/start-runner.ts";
import { EVERYONE, type Load, startLoad } from "./load.ts";
import { answers, readyPids, replace, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const REPLACEMENTS = 10;
/** By then the server's own close has lost something: it does so in every second replacement or so. */
const MOST_REPLACEMENTS = 40;

/** Replaces one instance after another under load, for as long as `more` says. */
async function replaceUnderLoad(
  app: string,
  more: (replaced: number, load: Load) => boolean,
): Promise<{ load: Load; runner: Running }> {
  const { runner, target } = await startProgram("HTTP/1.1", { app });
  await using _ = runner;
  const load = startLoad(target, EVERYONE, 2);
  for (let n = 0; more(n, load); n++) {
    await answers(load, 200);
    await replace(runner, readyPids(runner)[0]!);
  }
  await answers(load, 500);
  await load.stop();
  return { load, runner };
}

test("no request is lost when instances leave one after another", async () => {
  const { load, runner } = await replaceUnderLoad("everything.mjs", (replaced) => replaced < REPLACEMENTS);
  expectNoLoss(load, runner);
  expect(runner.events("instance-leaving")).toHaveLength(REPLACEMENTS);
});

test("the same clients lose some when the app calls the server's own close: they can tell", async () => {
  const { load } = await replaceUnderLoad("stock-close.mjs", (replaced, { journal }) => {
    return replaced < REPLACEMENTS || (journal.failures.length === 0 && replaced < MOST_REPLACEMENTS);
  });
  expect(load.journal.failures.length).toBeGreaterThan(0);
  console.log(`stock close(): ${load.journal.failures.length} lost of ${load.journal.total()}`);
});
