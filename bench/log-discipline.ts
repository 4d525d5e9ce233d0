/** All that get lines into files, and what they are measured by. */
import { logContestants } from "./contestants/logs.ts";
import type { LogServing, LogSetup } from "./logs.ts";
import type { Discipline } from "./rounds.ts";
import { logLines } from "./rows/log-lines.ts";
import type { Surroundings } from "./serving.ts";

export function logDiscipline(surroundings: Surroundings): Discipline<LogSetup, LogServing> {
  return {
    contestants: logContestants(surroundings),
    rows: [logLines(surroundings)],
    async warmUp({ writers }, seconds) {
      await Promise.all(writers.map(({ order }) => order({ do: "write", ms: seconds * 1000 })));
    },
  };
}
