/** What the clients of a load saw, one journal for all of them. Runs in the test's process. */

/** A request that was lost. */
export interface Failure {
  /** Which kind of client. */
  readonly client: string;
  /** When, in milliseconds since the epoch: the clock that the runner's events are stamped with. */
  readonly at: number;
  readonly what: string;
  /** No answer by the client's deadline, and no error either. */
  readonly hung: boolean;
  /** The instance that gave the connection's last answer, where the client knows. */
  readonly pid: number | undefined;
}

export interface Count {
  answered: number;
  /** Told by the server that it did nothing with it, and sent again: as clients do by themselves. */
  retried: number;
}

export class Journal {
  readonly failures: Failure[] = [];
  readonly #counts = new Map<string, Count>();

  answered(client: string): void {
    this.#count(client).answered += 1;
  }

  retried(client: string): void {
    this.#count(client).retried += 1;
  }

  failed(client: string, error: unknown, pid?: number): void {
    const hung = error instanceof Hung;
    this.failures.push({ client, at: Date.now(), what: describe(error), hung, pid });
  }

  /** Answers of all clients, or of those of one kind. */
  total(client?: string): number {
    if (client !== undefined) return this.#count(client).answered;
    return [...this.#counts.values()].reduce((sum, { answered }) => sum + answered, 0);
  }

  counts(): ReadonlyMap<string, Readonly<Count>> {
    return this.#counts;
  }

  #count(client: string): Count {
    let count = this.#counts.get(client);
    if (count === undefined) this.#counts.set(client, (count = { answered: 0, retried: 0 }));
    return count;
  }
}

/** No answer, and no error either. */
export class Hung extends Error {}

/** An answer that ended before its end, or is not the one to this request. */
export class CutShort extends Error {}

/** Error code, message and the same of what caused it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, cause } = error as NodeJS.ErrnoException;
  const own = `${error.name === "Error" ? "" : `${error.name} `}${code === undefined ? "" : `${code} `}${error.message}`;
  return cause === undefined ? own : `${own} (${describe(cause)})`;
}
