/** Choir itself, as a user starts it. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
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
  readonly variant?: boolean;
}

/** Makes Choir a contestant; variants take part only in rows that name them. */
export function choir(
  surroundings: Surroundings,
  { name, title, args = [], variant = false }: ChoirVariant,
): HttpContestant {
  return {
    name,
    title,
    variant,
    unable: () => undefined,
    start: (setup) => start(surroundings, setup, args),
  };
}

interface EventLine {
  readonly event?: string;
  readonly url?: string;
}

async function start(
  { processes, node }: Surroundings,
  setup: HttpSetup,
  args: readonly string[],
): Promise<HttpServing> {
  const runtime = path.join(processes.temp, "run");
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  const since = performance.now();
  const child = processes.spawn(node, [program("choir.mjs"), ...argumentsFor(setup), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { BENCH_APP: setup.app, XDG_RUNTIME_DIR: runtime },
  });
  const events = eventsOf(child);
  const count = (event: string): number => events.filter((line) => line.event === event).length;
  await until(() => count("instance-ready") > 0 || child.exitCode !== null, "Choir's first instance");
  const { url } = events.find((line) => line.event === "instance-ready") ?? {};
  if (url === undefined) throw new Error(`Choir did not start:\n${JSON.stringify(events, undefined, 1)}`);
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
    stop: () => terminate(child),
  });
}

function argumentsFor({ protocol, instances }: HttpSetup): string[] {
  const files = ["--certificate-file", "localhost.crt", "--key-file", "localhost.key"].map((argument) =>
    argument.startsWith("--") ? argument : path.join(CERTIFICATES, argument),
  );
  const tls = { http: [], https: ["--ssl", ...files], http2: ["--http2", ...files] }[protocol];
  return ["--port", "0", "--concurrency", String(instances), "--log-format", "json", ...tls];
}

function eventsOf(child: ChildProcess): EventLine[] {
  const events: EventLine[] = [];
  if (child.stdout === null) return events;
  createInterface({ input: child.stdout }).on("line", (line) => {
    try {
      events.push(JSON.parse(line) as EventLine);
    } catch {
      // What an app prints is none.
    }
  });
  return events;
}
