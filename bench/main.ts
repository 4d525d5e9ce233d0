/** `npm run bench`: Choir beside its peers, side by side in one run. What it measures and how is in docs/benchmarks.md. */
import os from "node:os";
import { readCommandLine, type Request, USAGE } from "./command-line.ts";
import { httpDiscipline } from "./http-discipline.ts";
import { chooseNode, installPeers } from "./install.ts";
import { logDiscipline } from "./log-discipline.ts";
import { describeMachine, nodeVersionOf, versions } from "./machine.ts";
import { messageDiscipline } from "./message-discipline.ts";
import { Pace } from "./pace.ts";
import { Processes } from "./processes.ts";
import type { Report } from "./report/report.ts";
import { renderText } from "./report/text.ts";
import { writeLastRun, writeResults } from "./report/write.ts";
import { judge, Results } from "./results.ts";
import { type Discipline, runRound } from "./rounds.ts";
import { checkNames, select, unmeasurable } from "./selection.ts";

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

async function main(request: Request): Promise<number> {
  if (request.install) installPeers();
  const processes = new Processes();
  // Whatever ends the harness ends what it has started.
  process.on("exit", () => processes.end());
  for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => process.exit(code));
  const report = await measure(request, processes);
  if (isWhole(request, report)) writeResults(report);
  else writeLastRun(report);
  console.log(`\n${renderText(report)}`);
  return report.rows.some(({ failed }) => Object.keys(failed).length > 0) ? 1 : 0;
}

async function measure(request: Request, processes: Processes): Promise<Report> {
  const node = chooseNode(request.node);
  const nodeVersion = nodeVersionOf(node);
  const http = httpDiscipline({ processes, node }, nodeVersion);
  const messages = messageDiscipline({ processes, node });
  const logs = logDiscipline({ processes, node });
  const all = {
    rows: [...http.rows, ...messages.rows, ...logs.rows],
    contestants: [...http.contestants, ...messages.contestants, ...logs.contestants],
  };
  checkNames(request, all);
  const missing = unmeasurable(all.rows.filter(({ name }) => request.only?.includes(name) ?? true));
  const results = new Results();
  const before = os.loadavg()[0] ?? 0;
  const rounds = await inTime(request, async (round, steadyOnly) => {
    const options = {
      round,
      steadyOnly,
      seconds: request.seconds,
      results,
      progress,
      clear: () => void processes.killAll(),
    };
    await runRound(without(select(http, request), missing), options);
    await runRound(without(select(messages, request), missing), options);
    await runRound(without(select(logs, request), missing), options);
  });
  const rows = results.summarise(all.rows);
  return {
    at: new Date().toISOString(),
    machine: describeMachine(),
    versions: versions(nodeVersion),
    rounds,
    seconds: request.seconds,
    load: { before, after: os.loadavg()[0] ?? 0 },
    titles: Object.fromEntries(all.contestants.map(({ name, title }) => [name, title])),
    missing,
    verdicts: judge(rows),
    rows,
  };
}

function progress(text: string): void {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${text}\n`);
}

/** Runs as many rounds as were asked for, or as there is time for; gives their number. */
async function inTime(request: Request, run: (round: number, steadyOnly: boolean) => Promise<void>): Promise<number> {
  const pace = new Pace(request);
  const start = performance.now();
  for (let round = 0; round < request.rounds; round++) {
    const from = performance.now();
    const what = pace.next(round, from - start);
    if (what === "nothing") {
      progress(`${request.minutes} minutes are over after ${round} of ${request.rounds} rounds`);
      return round;
    }
    await run(round, what === "steady");
    pace.took(round, performance.now() - from);
  }
  return request.rounds;
}

function without<Setup, Serving>(
  discipline: Discipline<Setup, Serving>,
  missing: Readonly<Record<string, string>>,
): Discipline<Setup, Serving> {
  return { ...discipline, rows: discipline.rows.filter(({ name }) => missing[name] === undefined) };
}

/** A part of the table, or one of another Node.js, must not replace the published one. */
function isWhole({ only, peers, node }: Request, { missing, rows }: Report): boolean {
  const leftOut = rows.flatMap((row) => Object.values(row.leftOut)).some((reason) => reason.includes("installed"));
  return (
    only === undefined && peers === undefined && node === undefined && Object.keys(missing).length === 0 && !leftOut
  );
}

try {
  const request = readCommandLine(process.argv.slice(2));
  if (request.help) console.log(USAGE);
  else process.exitCode = await main(request);
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = 1;
}
