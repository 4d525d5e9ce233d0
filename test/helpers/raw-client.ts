import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { within } from "./within.ts";

/** Where a test server listens, and how it is spoken to. */
export type Target = (net.TcpNetConnectOpts | net.IpcNetConnectOpts) & { tls?: tls.ConnectionOptions };

/** A client that says byte for byte what a test wants, and keeps all that comes. */
export class RawClient {
  readonly socket: net.Socket;
  received = "";
  /** "fin" for an orderly end, else the error's code. */
  readonly ended: Promise<string>;
  readonly #changed = new Set<() => void>();

  private constructor(socket: net.Socket) {
    this.socket = socket;
    // Else the kernel keeps a second small piece until the first one is acknowledged, by its own clock.
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
      for (const changed of this.#changed) changed();
    });
    this.ended = new Promise((resolve) => {
      socket.once("end", () => resolve("fin"));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once("close", () => resolve("closed"));
    });
  }

  /** Begins to connect; `allowHalfOpen` leaves it to the test to close after the server did. */
  static begin(target: Target, allowHalfOpen = false): RawClient {
    const options = { ...target, allowHalfOpen };
    const socket = target.tls === undefined ? net.connect(options) : tls.connect({ ...options, ...target.tls });
    return new RawClient(socket);
  }

  static async connect(target: Target, allowHalfOpen = false): Promise<RawClient> {
    const client = RawClient.begin(target, allowHalfOpen);
    await within(once(client.socket, target.tls === undefined ? "connect" : "secureConnect"), "a connection");
    return client;
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  get(...paths: string[]): void {
    this.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
  }

  async until(pattern: RegExp | string): Promise<string> {
    const matching = new Promise<void>((resolve) => {
      const look = (): void => {
        const found = typeof pattern === "string" ? this.received.includes(pattern) : pattern.test(this.received);
        if (!found) return;
        this.#changed.delete(look);
        resolve();
      };
      this.#changed.add(look);
      look();
    });
    await within(matching, () => `${JSON.stringify(String(pattern))} in ${JSON.stringify(this.received)}`);
    return this.received;
  }

  end(): Promise<string> {
    return within(this.ended, () => `the end, after ${JSON.stringify(this.received)}`);
  }

  /** The heads received, each without its body. */
  heads(): string[] {
    return this.received.match(/HTTP\/1\.1 [^]*?\r\n\r\n/g) ?? [];
  }

  /** The value of `Connection` in each head. */
  connectionHeaders(): (string | undefined)[] {
    return this.heads().map((head) => /^connection: (.*)\r$/im.exec(head)?.[1]?.toLowerCase());
  }
}
