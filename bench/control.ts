/** How the harness speaks with participants, wherever they run: JSON lines over a Unix socket. */
import { randomUUID } from "node:crypto";
import net from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Participant } from "./messages.ts";
import { until } from "./serving.ts";

/** Where participants report. */
export class ControlLine {
  readonly address: string;
  readonly #server: net.Server;
  readonly #participants: Participant[] = [];

  private constructor(address: string) {
    this.address = address;
    this.#server = net.createServer((socket) => this.#welcome(socket));
  }

  static async open(folder: string): Promise<ControlLine> {
    const line = new ControlLine(path.join(folder, `control-${randomUUID().slice(0, 8)}`));
    await new Promise<void>((resolve) => {
      line.#server.listen(line.address, resolve);
    });
    return line;
  }

  /** Resolves with all participants, by their numbers, when all are there. */
  async participants(count: number): Promise<readonly Participant[]> {
    await until(() => Object.keys(this.#participants).length === count, `${count} participants`);
    return this.#participants;
  }

  close(): void {
    this.#server.close();
  }

  #welcome(socket: net.Socket): void {
    const waiting: ((answer: Record<string, number>) => void)[] = [];
    socket.on("error", () => {});
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line) as Record<string, number>;
      if (message["participant"] === undefined) waiting.shift()?.(message);
      else this.#participants[message["participant"]] = { order: (order) => ask(order) };
    });
    const ask = (order: object): Promise<Record<string, number>> => {
      socket.write(`${JSON.stringify(order)}\n`);
      return new Promise((resolve, reject) => {
        waiting.push(resolve);
        socket.once("close", () => reject(new Error("A participant is gone")));
      });
    };
  }
}
