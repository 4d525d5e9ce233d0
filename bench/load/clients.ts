/** Clients that notice every lost request: programs/clients.mjs in a process of its own, steered from here. */
import { program, type Surroundings } from "../serving.ts";

export interface ClientsOptions {
  readonly url: string;
  readonly clients: number;
  readonly keepAlive: boolean;
  /** Between an answer and the next request, in milliseconds. */
  readonly pauseMs: number;
}

/** What the clients saw from their start, or from the last `mark()`, on. */
export interface Seen {
  readonly answered: number;
  /** Requests without a whole answer of 200. */
  readonly failed: number;
  /** How they failed, by name. */
  readonly failures: Readonly<Record<string, number>>;
  /** Latency in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The longest time in which nobody was answered, in milliseconds. */
  readonly longestGap: number;
  /** From the mark to the first answer of an instance that had not answered before, in milliseconds. */
  readonly newcomerMs?: number;
}

export interface Clients {
  /** Forgets what was seen so far; instances that have answered stay known. */
  mark(): Promise<void>;
  /** What was seen so far. */
  look(): Promise<Seen>;
  /** Lets every client finish its request. */
  stop(): Promise<Seen>;
}

/** Starts clients; resolves when all of them have been answered once. */
export async function startClients({ processes, node }: Surroundings, options: ClientsOptions): Promise<Clients> {
  const child = processes.spawn(node, [program("clients.mjs"), JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const gone = new Error("The clients have ended");
  const next = (): Promise<Seen> =>
    new Promise((resolve, reject) => {
      const onExit = (): void => reject(gone);
      child.once("exit", onExit);
      child.once("message", (message) => {
        child.off("exit", onExit);
        resolve(message as unknown as Seen);
      });
    });
  const ask = (what: string): Promise<Seen> => {
    child.send(what);
    return next();
  };
  await next();
  return {
    async mark() {
      await ask("mark");
    },
    look: () => ask("look"),
    stop: () => ask("stop"),
  };
}

/** What failed, as one text: `12 refused, 1 hung`. */
export function failureText({ failures }: Seen): string {
  return Object.entries(failures)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}
