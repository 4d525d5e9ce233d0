/** What HTTP contestants have in common: an address, a start that is timed, and a manager whose children the instances are. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { HttpServing, HttpSetup, Pids } from "./contestant.ts";
import { childrenOf, kill, type Processes } from "./processes.ts";

/** The repository, seen from dist/bench. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const CERTIFICATES = path.join(ROOT, "test/fixtures/tls");
const START_DEADLINE_MS = 60_000;

/** What contestants are started with. */
export interface Surroundings {
  readonly processes: Processes;
  /** The Node.js that all contestants run on. */
  readonly node: string;
}

/** The file of a program that contestants run. */
export function program(file: string): string {
  return path.join(ROOT, "bench/programs", file);
}

/** The file of a package that only bench/ has. */
export function installed(file: string): string {
  return path.join(ROOT, "bench/node_modules", file);
}

/** A port that nobody uses now. Those that the contestants' own programs find would be known too late. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** The environment of programs/standalone.mjs, and the folder in which its instances say that they listen. */
export function standaloneEnvironment(
  { app, protocol, instances }: HttpSetup,
  { temp, port }: { readonly temp: string; readonly port: number },
): { readonly ready: string; readonly env: Record<string, string> } {
  const ready = path.join(temp, `ready-${randomUUID()}`);
  mkdirSync(ready);
  return {
    ready,
    env: {
      BENCH_APP: app,
      BENCH_PROTOCOL: protocol,
      BENCH_PORT: String(port),
      BENCH_INSTANCES: String(instances),
      BENCH_READY: ready,
      BENCH_CERTIFICATES: CERTIFICATES,
    },
  };
}

/** How many instances have said so far that they listen. */
export function readyCount(folder: string): number {
  return readdirSync(folder).length;
}

export function urlOf({ protocol }: HttpSetup, port: number): string {
  return `${protocol === "http" ? "http" : "https"}://127.0.0.1:${port}`;
}

/** Asks until there is an answer; gives the milliseconds since `since`, by performance.now(). */
export async function firstAnswer(url: string, since: number): Promise<number> {
  for (;;) {
    const status = await get(url).catch(() => undefined);
    if (status?.status === 200) return performance.now() - since;
    if (performance.now() - since > START_DEADLINE_MS) throw new Error(`No answer from ${url}: ${status?.status}`);
    await pause(2);
  }
}

/** Waits for something that nothing announces. */
export async function until(condition: () => boolean, what: string, deadlineMs = START_DEADLINE_MS): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms for ${what}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** One request on a connection of its own. */
export function get(url: string): Promise<{ readonly status: number; readonly body: string }> {
  const { request } = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, rejectUnauthorized: false, timeout: 10_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    asked.on("timeout", () => asked.destroy(new Error(`No answer from ${url} in 10 s`)));
    asked.on("error", reject);
    asked.end();
  });
}

/** The rest of a contestant whose instances are the children of its manager. */
export function ofManager(pid: number, rest: Pick<HttpServing, "url" | "startMs" | "restart" | "stop">): HttpServing {
  const pids = (): Pids => ({ manager: [pid], instances: childrenOf(pid) });
  return {
    ...rest,
    pids,
    threads: false,
    killAll() {
      for (const instance of pids().instances) kill(instance, "SIGKILL");
      return Promise.resolve();
    },
  };
}

/** For contestants that cannot. */
export function cannot(what: string): () => Promise<never> {
  return () => Promise.reject(new Error(`It cannot ${what}`));
}
