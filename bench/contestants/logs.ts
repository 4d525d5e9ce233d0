/** How lines get from processes into files: by Choir, by PM2, by the process itself, or by a stdout that is a file. */
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { ControlLine } from "../control.ts";
import type { LogContestant, LogServing, LogSetup } from "../logs.ts";
import { terminate } from "../processes.ts";
import { program, type Surroundings } from "../serving.ts";
import { pm2Missing, startPm2 } from "./pm2-daemon.ts";

/** What takes the writers' lines, and its end. */
interface Started {
  readonly manager: readonly number[];
  readonly stop: () => Promise<void>;
}

interface Place {
  readonly writers: number;
  /** Where files are to be; nothing else is there. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

type Start = (surroundings: Surroundings, place: Place) => Promise<Started>;

export function logContestants(surroundings: Surroundings): LogContestant[] {
  const ready = (): undefined => undefined;
  const all = [
    { name: "choir", title: "Choir", start: choir("json"), unable: ready },
    { name: "choir-raw", title: "Choir, --log-file-format raw", start: choir("raw"), unable: ready, variant: true },
    { name: "pino-file", title: "pino, a file of each process", start: pinoFile, unable: ready },
    { name: "redirected", title: "stdout redirected to a file", start: redirected, unable: ready },
    { name: "pm2", title: "PM2, cluster", start: pm2, unable: pm2Missing },
  ];
  return all.map(({ start, ...rest }) => ({ ...rest, start: (setup) => serve(surroundings, setup, start) }));
}

async function serve(surroundings: Surroundings, { writers }: LogSetup, start: Start): Promise<LogServing> {
  const { temp } = surroundings.processes;
  const folder = path.join(temp, `logs-${randomUUID()}`);
  mkdirSync(folder);
  const line = await ControlLine.open(temp);
  const started = await start(surroundings, { writers, folder, env: { BENCH_CONTROL: line.address } });
  return {
    writers: await line.participants(writers),
    manager: started.manager,
    files: () => readdirSync(folder).map((file) => path.join(folder, file)),
    async stop() {
      await started.stop();
      line.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function choir(format: "json" | "raw"): Start {
  return ({ processes, node }, { writers, folder, env }) => {
    const runtime = path.join(processes.temp, "run");
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    const files = ["--log-file", path.join(folder, "bench.log"), "--log-file-format", format];
    const rest = ["--log-rotate-size", "10MB", "--quiet", "--port", "0", "--concurrency", String(writers)];
    const child = processes.spawn(node, [program("logs/choir.mjs"), ...files, ...rest], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...env, XDG_RUNTIME_DIR: runtime },
    });
    return Promise.resolve({ manager: [child.pid ?? -1], stop: () => terminate(child) });
  };
}

const pm2: Start = async (surroundings, { writers, folder, env }) => {
  const { pid, command, stop } = await startPm2(surroundings, env);
  const output = ["--output", path.join(folder, "out.log")];
  await command("start", program("logs/alone.mjs"), "-i", String(writers), "--name", "bench", ...output);
  return { manager: [pid], stop };
};

const pinoFile: Start = (surroundings, place) =>
  alone(surroundings, place, { stdout: "ignore", env: { BENCH_LOG_FILE: path.join(place.folder, "own") } });

const redirected: Start = async (surroundings, place) => {
  const file = openSync(path.join(place.folder, "stdout.log"), "a");
  const started = await alone(surroundings, place, { stdout: file, env: {} });
  closeSync(file);
  return started;
};

interface Alone {
  readonly stdout: "ignore" | number;
  readonly env: Readonly<Record<string, string>>;
}

/** Writers that nobody manages. */
function alone(
  { processes, node }: Surroundings,
  { writers, env }: Place,
  { stdout, env: own }: Alone,
): Promise<Started> {
  const children = Array.from({ length: writers }, (_, number) =>
    processes.spawn(node, [program("logs/alone.mjs"), String(number)], {
      stdio: ["ignore", stdout, "inherit"],
      env: { ...env, ...own },
    }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => terminate(child)));
  };
  return Promise.resolve({ manager: [], stop });
}
