/** A service manager's ear: records what a program tells it by sd_notify(3). */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "./within.ts";

const PROGRAM = fileURLToPath(new URL("notify-recorder.py", import.meta.url));

export class NotifyRecorder implements AsyncDisposable {
  readonly socket: string;
  /** What came, each message as its lines; barriers are left out. */
  readonly messages: string[][] = [];
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #changed = new Set<() => void>();

  private constructor(socket: string, child: ChildProcess, folder: string) {
    this.socket = socket;
    this.#child = child;
    this.#folder = folder;
  }

  /** Listens on a path, or on an abstract name. */
  static async listen(kind: "path" | "abstract" = "path"): Promise<NotifyRecorder> {
    const folder = mkdtempSync(path.join(tmpdir(), "choir-notify-"));
    const socket = kind === "path" ? path.join(folder, "notify") : `@${path.basename(folder)}`;
    const child = spawn("python3", [PROGRAM, socket], { stdio: ["ignore", "pipe", "inherit"] });
    const recorder = new NotifyRecorder(socket, child, folder);
    const lines = createInterface({ input: child.stdout });
    await within(once(lines, "line"), "the recorder to listen");
    lines.on("line", (line) => recorder.#take(JSON.parse(line) as string));
    return recorder;
  }

  /** The first message, come already or to come, that has the line. */
  async message(line: string | RegExp, since = 0): Promise<string[]> {
    const find = (): string[] | undefined =>
      this.messages.slice(since).find((message) => message.some((each) => matches(each, line)));
    const found = new Promise<string[]>((resolve) => {
      const look = (): void => {
        const message = find();
        if (message === undefined) return;
        this.#changed.delete(look);
        resolve(message);
      };
      this.#changed.add(look);
      look();
    });
    return within(found, () => `${String(line)} in ${JSON.stringify(this.messages, null, 1)}`, 15_000);
  }

  /** The messages without pings and prolongations, whose number is a matter of time. */
  story(): string[][] {
    const withoutExtension = this.messages.map((message) =>
      message.filter((line) => !line.startsWith("EXTEND_TIMEOUT_")),
    );
    return withoutExtension.filter((message) => message.length > 0 && message[0] !== "WATCHDOG=1");
  }

  #take(datagram: string): void {
    if (datagram === "BARRIER=1") return;
    this.messages.push(datagram.split("\n").filter((line) => line !== ""));
    for (const changed of this.#changed) changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    rmSync(this.#folder, { recursive: true });
  }
}

function matches(text: string, line: string | RegExp): boolean {
  return typeof line === "string" ? text === line : line.test(text);
}
