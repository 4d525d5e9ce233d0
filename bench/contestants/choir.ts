/** Choir itself, as a user starts it. */
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
import { terminate } from "../processes.ts";
import { CERTIFICATES, firstAnswer, ofManager, program, type Surroundings, until } from "../serving.ts";

export interface ChoirVariant {
  readonly name: string;
  readonly title: string;
  /** Added to its command line. */
  readonly args?: readonly string[];
  /** The program it runs; default choir.mjs. */
  readonly file?: string;
  /** Whether it logs into a file and not to its stdout, which the harness would have to read. */
  readonly intoFile?: boolean;
}

/** Makes Choir a contestant; by another name than its own it takes part only in rows that name it. */
export function choir(surroundings: Surroundings, variant: ChoirVariant): HttpContestant {
  const { name, title } = variant;
  return {
    name,
    title,
    variant: name !== "choir",
    unable: () => undefined,
    start: (setup) => start(surroundings, setup, variant),
  };
}

interface EventLine {
  readonly event?: string;
  readonly url?: string;
}

async function start(
  { processes, node }: Surroundings,
  setup: HttpSetup,
  { name, args = [], file = "choir.mjs", intoFile = false }: ChoirVariant,
): Promise<HttpServing> {
  // Of its own: there is one app of a name in each.
  const runtime = path.join(processes.temp, `run-${name}`);
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  const log = intoFile ? path.join(processes.temp, `choir-${randomUUID()}.log`) : undefined;
  const logArgs = log === undefined ? ["--log-format", "json"] : ["--quiet", "--log-file", log];
  const since = performance.now();
  const child = processes.spawn(node, [program(file), ...argumentsFor(setup), ...logArgs, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { BENCH_APP: setup.app, XDG_RUNTIME_DIR: runtime },
  });
  const events = log === undefined ? eventsOf(child) : (): EventLine[] => eventsIn(log);
  const count = (event: string): number => events().filter((line) => line.event === event).length;
  await until(() => count("instance-ready") > 0 || child.exitCode !== null, "Choir's first instance");
  const { url } = events().find((line) => line.event === "instance-ready") ?? {};
  if (url === undefined) throw new Error(`Choir did not start:\n${JSON.stringify(events(), undefined, 1)}`);
  const startMs = await firstAnswer(`${url}/`, since);
  await until(() => count("instance-ready") >= setup.instances, "all of Choir's instances");
  return ofManager(child.pid ?? -1, {
    url,
    startMs,
    async restart() {
      const before = count("restart-finished");
      child.kill("SIGHUP");
      await until(() => count("restart-finished") > before, "Choir's rolling restart");
    },
    async stop() {
      await terminate(child);
      if (log !== undefined) rmSync(log);
    },
  });
}

function argumentsFor({ protocol, instances }: HttpSetup): string[] {
  const files = ["--certificate-file", "localhost.crt", "--key-file", "localhost.key"].map((argument) =>
    argument.startsWith("--") ? argument : path.join(CERTIFICATES, argument),
  );
  const tls = { http: [], https: ["--ssl", ...files], http2: ["--http2", ...files] }[protocol];
  return ["--port", "0", "--concurrency", String(instances), ...tls];
}

function eventsOf(child: ChildProcess): () => EventLine[] {
  const events: EventLine[] = [];
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => events.push(...eventIn(line)));
  }
  return () => events;
}

function eventsIn(file: string): EventLine[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").flatMap(eventIn) : [];
}

function eventIn(line: string): EventLine[] {
  try {
    return [JSON.parse(line) as EventLine];
  } catch {
    // What an app prints is none, nor is half a line of a file.
    return [];
  }
}
