/**
 * Every process that a benchmark starts, and their end, whatever happens. All carry a mark in their environment, which daemons and
 * grandchildren inherit: what carries it when the benchmark is over is killed. Linux only, by /proc.
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const MARK = "BENCH_MARK";
/** What would reach the options of the programs under test. */
const FOREIGN =
  /^(CHOIR_.*|BENCH_.*|HOST|PORT|WEB_CONCURRENCY|NODE_ENV|NODE_APP_INSTANCE|NODE_OPTIONS|NODE_CHANNEL_.*|VITEST.*|PM2_.*|PLT_.*|npm_.*|FORCE_COLOR|NO_COLOR)$/;

export class Processes {
  /** A folder for what contestants leave behind; gone at the end. */
  readonly temp = mkdtempSync(path.join(tmpdir(), "choir-bench-"));
  readonly #mark = randomUUID();

  /** Starts a program in a session of its own, so that a Ctrl-C reaches the harness only. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn(command, args, {
      detached: true,
      cwd: this.temp,
      ...options,
      env: this.environment(options.env),
    });
  }

  environment(added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
    return { ...Object.fromEntries(kept), NODE_ENV: "production", ...added, [MARK]: this.#mark };
  }

  /** Runs a program to its end and gives its output; a code other than 0 rejects with all it printed. */
  async run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<string> {
    const child = this.spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const [out, error] = [collect(child.stdout), collect(child.stderr)];
    const { code, signal } = await ended(child);
    if (code !== 0)
      throw new Error(`${[command, ...args].join(" ")} ended with ${code ?? signal}:\n${out()}${error()}`);
    return out();
  }

  /** Ids of processes that carry the mark. */
  running(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => this.#isOurs(pid));
  }

  /** Kills all that is left; returns how many that were. Synchronous: also the last thing a dying harness does. */
  killAll(): number {
    const killed = new Set<number>();
    // Again until nothing is found: some may have been in the middle of a fork.
    for (let left = this.running(); left.length > 0 && killed.size < 10_000; left = this.running()) {
      for (const pid of left) {
        killed.add(pid);
        kill(pid, "SIGKILL");
      }
    }
    return killed.size;
  }

  /** Kills what is left and removes the folder. */
  end(): void {
    this.killAll();
    rmSync(this.temp, { recursive: true, force: true });
  }

  #isOurs(pid: number): boolean {
    try {
      // Zombies have no environment any more.
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${MARK}=${this.#mark}`);
    } catch {
      return false;
    }
  }
}

/** Sends a signal; a process that is gone does not mind. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The processes that one has started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** CPU time that the threads of a process have used so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  // Nanoseconds on a core, where /proc/PID/stat counts in hundredths of a second.
  const times = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]));
  return times.reduce((all, time) => all + time, 0) / 1e9;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Resolves when a process has ended and its output is complete; rejects when it could not be started. */
function ended(child: ChildProcess): Promise<Ending> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** SIGTERM, and SIGKILL to the whole group when it has not ended by the deadline, in milliseconds. */
export async function terminate(child: ChildProcess, deadlineMs = 10_000): Promise<void> {
  if (child.pid === undefined) return;
  const { pid } = child;
  child.kill("SIGTERM");
  const timer = setTimeout(() => kill(-pid, "SIGKILL"), deadlineMs);
  await ended(child);
  clearTimeout(timer);
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
