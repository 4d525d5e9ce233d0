/** The load generator that Node.js developers have at hand sees no error either, keep-alive and pipelined, over rolling restarts. */
import autocannon from "autocannon";
import { expect, test } from "vitest";
import { restart, startProgram } from "./program.ts";

/** More than the restarts take: it is stopped when they are done. */
const LONGEST_S = 100;

interface Counted {
  readonly result: autocannon.Result;
  readonly answers: number;
}

/** What autocannon counts while an app is restarted, as long as `again` says so of the restarts made and the errors seen. */
async function countedOver(
  again: (made: number, errors: number) => boolean,
  { app = "everything.mjs", pipelining = 1 },
): Promise<Counted> {
  const { runner, target } = await startProgram("HTTP/1.1", { app });
  await using _ = runner;
  let load!: autocannon.Instance;
  const over = new Promise<autocannon.Result>((resolve, reject) => {
    const options = { url: `${target.origin}/pid`, connections: 32, pipelining, duration: LONGEST_S, timeout: 12 };
    load = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
  });
  let answers = 0;
  load.on("response", () => (answers += 1));
  let seen = 0;
  load.on("reqError", () => (seen += 1));
  for (let made = 0; again(made, seen); made++) {
    expect(await restart(runner)).toMatchObject({ outcome: "done", generation: made + 1 });
  }
  load.stop();
  return { result: await over, answers };
}

test.each([1, 4])(
  "autocannon sees no error in rolling restarts, %s requests at a time on a connection",
  async (pipelining) => {
    const { result, answers } = await countedOver((made) => made < 3, { pipelining });
    const { errors, timeouts, non2xx, mismatches } = result;
    expect({ errors, timeouts, non2xx, mismatches }).toEqual({ errors: 0, timeouts: 0, non2xx: 0, mismatches: 0 });
    expect(answers).toBeGreaterThan(1000);
  },
);

test("autocannon would see them: a stock server.close() costs it requests", async () => {
  const { result } = await countedOver((made, errors) => errors === 0 && made < 20, { app: "stock-close.mjs" });
  expect(result.errors).toBeGreaterThan(0);
});
