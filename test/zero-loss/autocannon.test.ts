/** The load generator that Node.js developers have at hand sees no error either, keep-alive and pipelined, over rolling restarts. */
import autocannon from "autocannon";
import { expect, test } from "vitest";
import { restart, startProgram } from "./program.ts";

const RESTARTS = 5;
/** More than the restarts take: it is stopped when they are done. */
const LONGEST_S = 100;

test.each([1, 4])(
  "autocannon sees no error in rolling restarts, %s requests at a time on a connection",
  async (pipelining) => {
    const { runner, target } = await startProgram();
    await using _ = runner;
    let load!: autocannon.Instance;
    const over = new Promise<autocannon.Result>((resolve, reject) => {
      const options = { url: `${target.origin}/pid`, connections: 32, pipelining, duration: LONGEST_S, timeout: 12 };
      load = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
    });
    let answers = 0;
    load.on("response", () => (answers += 1));
    for (let n = 1; n <= RESTARTS; n++) {
      expect(await restart(runner)).toMatchObject({ outcome: "done", generation: n });
    }
    load.stop();
    const { errors, timeouts, non2xx, mismatches } = await over;
    expect({ errors, timeouts, non2xx, mismatches }).toEqual({ errors: 0, timeouts: 0, non2xx: 0, mismatches: 0 });
    expect(answers).toBeGreaterThan(1000);
  },
);
