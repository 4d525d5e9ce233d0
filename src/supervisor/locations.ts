/**
 * Where the program of each generation really lies: symbolic links are followed afresh for a new one, and a deploy that moves a link
 * later does not change an old one. Runs in the supervisor.
 */
import { existsSync, realpathSync } from "node:fs";

/** Absolute paths. */
export interface Location {
  readonly entry: string;
  readonly cwd: string;
}

export class Locations {
  readonly #program: Location;
  readonly #found = new Map<number, Location>();

  /** Takes the paths as they were given, links unresolved. */
  constructor(program: Location) {
    this.#program = program;
  }

  /** Follows the links for a generation, as they are now. */
  prepare(generation: number): void {
    const { entry, cwd } = this.#program;
    this.#found.set(generation, { entry: realPath(entry), cwd: realPath(cwd) });
  }

  of(generation: number): Location {
    const location = this.#found.get(generation);
    if (location === undefined) throw new Error(`Generation ${generation} was not prepared. This is a bug in Choir`);
    return location;
  }

  /** Whether a generation's program is still where it was. */
  isThere(generation: number): boolean {
    return existsSync(this.of(generation).entry);
  }
}

/** The path itself when it cannot be resolved: the start then fails with Node's own message. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
