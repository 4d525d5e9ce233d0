/**
 * Starts a fixture program as a user would (`node app.mjs --port 0 …`), reads its events from stdout, and ends it without a trace.
 * Every wait has a deadline and, when it passes, shows all that was printed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface LogLine {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly name?: string;
  readonly instance?: number;
  readonly pid?: number;
  readonly event?: string;
  readonly [field: string]: unknown;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly instances?: number;
  readonly env?: Record<string, string>;
  /** Node's own flags for the supervisor. */
  readonly execArgv?: readonly string[];
  readonly cwd?: string;
  /** How many descriptors each process may have (ulimit -n). */
  readonly openFiles?: number;
  /** Descriptors of listening sockets that it gets as from a service manager, in this order, with their names. */
  readonly passed?: readonly { readonly fd: number; readonly name: string }[];
  /** Do not pass --port, --concurrency and --log-format. */
  readonly bare?: boolean;
}

const FIXTURES = fileURLToPath(new URL("../fixtures/apps/", import.meta.url));
/** Files that know nothing of Choir. */
export const MODULES = fileURLToPath(new URL("../fixtures/modules/", import.meta.url));
const CHOIR = fileURLToPath(new URL("../../bin/choir.js", import.meta.url));
const DEADLINE_MS = 15_000;

interface Waiter {
  readonly test: (line: LogLine) => boolean;
  readonly resolve: (line: LogLine) => void;
}

export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly temp: string;
  /** Its working directory. */
  readonly folder: string;
  readonly lines: LogLine[] = [];
  /** Lines of stdout that are no JSON. */
  readonly text: string[] = [];
  stderr = "";
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #waiters: Waiter[] = [];
  #instancePids = new Set<number>();

  constructor(child: ChildProcess, temp: string, folder = temp) {
    this.child = child;
    this.temp = temp;
    this.folder = folder;
    createInterface({ input: child.stdout! }).on("line", (line) => this.#take(line));
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
      if (process.env["TEST_DEBUG"]) process.stderr.write(chunk);
    });
    this.exited = Promise.all([once(child, "exit"), once(child.stdout!, "close")]).then(([[code, signal]]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  /** Where the program looks for control sockets, unless the test says otherwise. */
  get runtime(): string {
    return runtimeFolder(this.temp);
  }

  get pid(): number {
    return this.child.pid!;
  }

  #take(line: string): void {
    if (process.env["TEST_DEBUG"]) process.stderr.write(`${line}\n`);
    let parsed: LogLine | undefined;
    try {
      parsed = JSON.parse(line) as LogLine;
    } catch {
      this.text.push(line);
      return;
    }
    this.lines.push(parsed);
    this.#follow(parsed);
    const satisfied = this.#waiters.filter((waiter) => waiter.test(parsed));
    this.#waiters = this.#waiters.filter((waiter) => !satisfied.includes(waiter));
    for (const waiter of satisfied) waiter.resolve(parsed);
  }

  /** Forgets a process when its supervisor has seen its end: in a long run the kernel gives its pid to somebody else. */
  #follow({ event, instance, pid }: LogLine): void {
    if (event === undefined || instance === undefined || pid === undefined) return;
    if (event === "instance-exited") this.#instancePids.delete(pid);
    else this.#instancePids.add(pid);
  }

  /** The first line, already printed or to come, that passes the test. */
  line(test: (line: LogLine) => boolean, what = "a line", within = DEADLINE_MS): Promise<LogLine> {
    const seen = this.lines.find(test);
    if (seen !== undefined) return Promise.resolve(seen);
    return this.#deadline(
      new Promise((resolve) => {
        this.#waiters.push({ test, resolve });
      }),
      what,
      within,
    );
  }

  /** The first event of the kind, already printed or to come, that has the given fields. */
  event(kind: string, fields: Record<string, unknown> = {}, within = DEADLINE_MS): Promise<LogLine> {
    const test = (line: LogLine): boolean =>
      line.event === kind && Object.entries(fields).every(([key, value]) => line[key] === value);
    return this.line(test, `event ${kind} ${JSON.stringify(fields)}`, within);
  }

  /** All events of the kind so far. */
  events(kind: string): LogLine[] {
    return this.lines.filter((line) => line.event === kind);
  }

  /** Waits until `count` events of the kind, with the given fields, were printed since the start. */
  async eventCount(kind: string, count: number, within = DEADLINE_MS): Promise<LogLine[]> {
    await this.line(() => this.events(kind).length >= count, `${count} events ${kind}`, within);
    return this.events(kind);
  }

  /** Waits until every instance is ready; returns the first URL. */
  async ready(instances: number): Promise<string> {
    const events = await this.eventCount("instance-ready", instances);
    return events[0]!["url"] as string;
  }

  async exit(within = DEADLINE_MS): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#deadline(this.exited, "the program to end", within);
  }

  /** SIGTERM, and the exit that follows. */
  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill("SIGTERM");
    return this.exit();
  }

  /** Instances of this program that still run. */
  survivors(): number[] {
    return [...this.#instancePids].filter(isAlive);
  }

  async #deadline<T>(promise: Promise<T>, what: string, within: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Waited ${within} ms for ${what}\n${this.transcript()}`)), within);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  transcript(): string {
    return [
      ...this.lines.slice(-60).map((line) => JSON.stringify(line)),
      ...this.text.slice(-60),
      "-- stderr --",
      this.stderr,
    ].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGTERM");
      const timer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
      await this.exited;
      clearTimeout(timer);
    }
    // Instances end by themselves once their supervisor is gone.
    await until(() => this.survivors().length === 0, "instances to end", 10_000).catch((error: unknown) => {
      for (const pid of this.survivors()) process.kill(pid, "SIGKILL");
      throw error;
    });
    rmSync(this.temp, { recursive: true, force: true });
    rmSync(runtimeFolder(this.temp), { recursive: true, force: true });
  }
}

/** Starts a fixture of test/fixtures/apps, or an absolute file. */
export function startRunner(app: string, options: StartOptions = {}): Running {
  return launch([path.resolve(FIXTURES, app)], options);
}

/** Starts a file of test/fixtures/modules, or an absolute one, by `choir start`. */
export function startModule(file: string, options: StartOptions = {}): Running {
  return launch([CHOIR, "start", path.resolve(MODULES, file)], options);
}

/** Runs the `choir` command with an app's options behind its own arguments. */
export function startChoir(args: readonly string[], options: StartOptions): Running {
  return launch([CHOIR, ...args], options);
}

function launch(command: readonly string[], options: StartOptions): Running {
  const temp = mkdtempSync(path.join(tmpdir(), "choir-test-"));
  const standard = options.bare
    ? []
    : ["--port", "0", "--log-format", "json", "--concurrency", String(options.instances ?? 1)];
  const limit = options.openFiles === undefined ? "" : `ulimit -n ${options.openFiles}; `;
  const { passed = [] } = options;
  // The process keeps its number when the shell becomes the program.
  const listen = passed.length === 0 ? "" : "export LISTEN_PID=$$; ";
  const listenEnv = { LISTEN_FDS: String(passed.length), LISTEN_FDNAMES: passed.map(({ name }) => name).join(":") };
  const node = [process.execPath, ...(options.execArgv ?? []), ...command];
  mkdirSync(runtimeFolder(temp), { mode: 0o700 });
  const child = spawn(
    "/bin/sh",
    ["-c", `${limit}${listen}exec "$@"`, "sh", ...node, ...standard, ...(options.args ?? [])],
    {
      cwd: options.cwd ?? temp,
      // Programs of one name may run side by side in tests: each has its control socket in a folder of its own.
      env: environment({
        XDG_RUNTIME_DIR: runtimeFolder(temp),
        ...(passed.length > 0 ? listenEnv : {}),
        ...options.env,
      }),
      stdio: ["ignore", "pipe", "pipe", ...passed.map(({ fd }) => fd)],
      // A session of its own: without a terminal, SIGHUP means restart, as it does for a service.
      detached: true,
    },
  );
  return new Running(child, temp, options.cwd);
}

/** Beside the program's own folder, in which tests look for what it left behind. */
function runtimeFolder(temp: string): string {
  return `${temp}-run`;
}

/** The test's environment less what would reach the options. */
function environment(added: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(CHOIR_.*|HOST|PORT|WEB_CONCURRENCY|RUNTIME_DIRECTORY|NOTIFY_SOCKET|LISTEN_.*|WATCHDOG_.*|NODE_ENV|NODE_APP_INSTANCE|NODE_OPTIONS|NODE_CHANNEL_FD|VITEST.*|FORCE_COLOR|NO_COLOR)$/.test(
        name,
      ),
  );
  return { ...Object.fromEntries(kept), ...added };
}

/** Whether a process runs; a zombie has ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Polls a condition that no event announces. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  within = DEADLINE_MS,
): Promise<void> {
  const end = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited ${within} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One request on a connection of its own; rejects when it is refused, cut short or takes over 15 s. */
export function ask(url: string, options: http.RequestOptions & { body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, timeout: DEADLINE_MS, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`No answer from ${url} in ${DEADLINE_MS} ms`)));
    request.on("error", reject);
    request.end(options.body);
  });
}
