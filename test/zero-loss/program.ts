/** Starts a program to put under load, and restarts it. Runs in the test's process. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type LogLine, type Running, startRunner, type StartOptions, until } from "../helpers/start-runner.ts";
import type { Target } from "./clients/client.ts";
import type { Load } from "./load.ts";

export type Protocol = "HTTP/1.1" | "TLS" | "HTTP/2" | "Unix socket";

const fixture = (file: string): string => fileURLToPath(new URL(`../fixtures/tls/localhost.${file}`, import.meta.url));
const APPS = fileURLToPath(new URL("apps/", import.meta.url));
/** Boots while other programs have the two cores: only a ceiling. */
const RESTART_MS = 60_000;

/** A program and where it is asked. */
export interface Program {
  readonly runner: Running;
  readonly target: Target;
}

/** Starts an app with two instances unless told otherwise and waits until all are ready. */
export async function startProgram(
  protocol: Protocol = "HTTP/1.1",
  { app = "everything.mjs", instances = 2, args = [], ...rest }: StartOptions & { readonly app?: string } = {},
): Promise<Program> {
  const socketPath = path.join(mkdtempSync(path.join(tmpdir(), "choir-zero-loss-")), "s");
  const runner = startRunner(path.resolve(APPS, app), {
    instances,
    args: [...argumentsFor(protocol, socketPath), ...args],
    ...rest,
  });
  const url = await runner.ready(instances);
  return { runner, target: targetOf(protocol, url, socketPath) };
}

function argumentsFor(protocol: Protocol, socketPath: string): string[] {
  const files = ["--certificate-file", fixture("crt"), "--key-file", fixture("key")];
  if (protocol === "TLS") return ["--ssl", ...files];
  if (protocol === "HTTP/2") return ["--http2", ...files];
  return protocol === "Unix socket" ? ["-a", `unix:${socketPath}`] : [];
}

function targetOf(protocol: Protocol, url: string, socketPath: string): Target {
  if (protocol === "Unix socket") return { origin: "http://localhost", socketPath };
  if (protocol === "HTTP/1.1") return { origin: url };
  return { origin: url, ca: readFileSync(fixture("crt")), http2: protocol === "HTTP/2" };
}

/** SIGHUP, and the end of the rolling restart that follows, however it ends. */
export async function restart(runner: Running): Promise<LogLine> {
  const before = runner.events("restart-finished").length;
  process.kill(runner.pid, "SIGHUP");
  const finished = await runner.eventCount("restart-finished", before + 1, RESTART_MS);
  return finished[before]!;
}

/** Has one instance replaced: it gets a SIGTERM of its own, and serves until its replacement is ready. */
export async function replace(runner: Running, pid: number): Promise<void> {
  const ready = runner.events("instance-ready").length;
  process.kill(pid, "SIGTERM");
  await runner.eventCount("instance-ready", ready + 1, RESTART_MS);
}

/** Waits until so many more requests were answered: a load that stands still proves nothing. */
export async function answers(load: Load, more: number, client?: string): Promise<void> {
  const enough = load.journal.total(client) + more;
  await until(() => load.journal.total(client) >= enough, `${more} answers`, 30_000);
}

/** The instances that take requests, by the runner's own words: of each slot the newest that got ready, unless it has ended. */
export function readyPids(runner: Running): number[] {
  const gone = new Set(runner.events("instance-exited").map((line) => line.pid));
  const newest = new Map(runner.events("instance-ready").map((line) => [line.instance, line.pid!]));
  return [...newest.values()].filter((pid) => !gone.has(pid));
}
