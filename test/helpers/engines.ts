/** Real NATS and Redis servers for tests: on a port of their own, in a temporary folder, killed and started again at will. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { findProgram } from "./programs.ts";

const DEADLINE_MS = 15_000;

export interface EngineKind {
  readonly program: string;
  readonly scheme: string;
  /** What it is started with on a port. */
  readonly args: (port: number, folder: string) => readonly string[];
  /** What it prints once it can be connected to. */
  readonly ready: RegExp;
}

export const NATS: EngineKind = {
  program: "nats-server",
  scheme: "nats",
  args: (port, folder) => ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", String(port)],
  ready: /Server is ready/,
};

export const REDIS: EngineKind = {
  program: "redis-server",
  scheme: "redis",
  args: (port, folder) => ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", ""],
  ready: /Ready to accept connections/,
};

export class EngineServer implements AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly #kind: EngineKind;
  readonly #more: readonly string[];
  #child: ChildProcess | undefined;
  #output: string[] = [];

  private constructor(kind: EngineKind, port: number, more: readonly string[]) {
    this.#kind = kind;
    this.port = port;
    this.#more = more;
    this.folder = mkdtempSync(path.join(tmpdir(), "choir-engine-"));
  }

  /** Starts one; `more` gives arguments to be added, by its port. */
  static async start(kind: EngineKind, more: (port: number) => readonly string[] = () => []): Promise<EngineServer> {
    const port = await unusedPort();
    const server = new EngineServer(kind, port, more(port));
    await server.start();
    return server;
  }

  get url(): string {
    return `${this.#kind.scheme}://127.0.0.1:${this.port}`;
  }

  /** Starts it (again), on the same port and folder. */
  async start(): Promise<void> {
    const { program, args, ready } = this.#kind;
    const child = spawn(findProgram(program)!, [...args(this.port, this.folder), ...this.#more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string) => reject(new Error(`${program} ${what}\n${this.#output.join("\n")}`));
      const timer = setTimeout(() => fail(`was not ready in ${DEADLINE_MS} ms`), DEADLINE_MS);
      const take = (line: string) => {
        this.#output.push(line);
        if (process.env["TEST_DEBUG"]) process.stderr.write(`${line}\n`);
        if (ready.test(line)) resolve();
      };
      createInterface({ input: child.stdout }).on("line", take);
      createInterface({ input: child.stderr }).on("line", take);
      child.on("exit", () => fail("has ended"));
      child.on("exit", () => clearTimeout(timer));
    });
  }

  /** Kills it, as a crash would; connections are reset. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Stops or continues the process: connected, and silent. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Chosen by the system. Redis cannot choose one itself; who takes it in between makes the start fail with a clear message. */
async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
