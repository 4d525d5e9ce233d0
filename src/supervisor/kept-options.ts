/**
 * What a new generation's code asks for and does not get: the options in it that differ from those the supervisor was started with,
 * and that hold for as long as the supervisor runs. Runs in the supervisor; an instance says what its code has in src/instance/serve.ts.
 */
import type { ChoirEvent } from "../events.ts";
import type { Origin } from "../options/origin.ts";
import { OPTION_NAMES, type OptionName, type ResolvedOptions, specOf } from "../options/table.ts";
import type { Declaration } from "../protocol.ts";
import type { Child } from "./child.ts";

/** What the supervisor runs with. */
export interface RunningOptions {
  /** What its own copy of the code gave. */
  readonly declared: Declaration;
  readonly options: ResolvedOptions;
  readonly origins: Readonly<Record<OptionName, Origin>>;
}

/** An option that stays as it is. */
export interface KeptOption {
  readonly option: string;
  /** The values as JSON; never those of passwords. */
  readonly running: string;
  readonly wanted: string;
}

const HIDDEN = { running: "a password", wanted: "another one" };

/** The options whose change in the code has no effect before the supervisor itself is started anew. */
export function keptOptions({ declared, options, origins }: RunningOptions, now: Declaration): KeptOption[] {
  const kept: KeptOption[] = [];
  if (now.name !== declared.name) {
    kept.push({ option: "name", running: JSON.stringify(declared.name), wanted: JSON.stringify(now.name) });
  }
  for (const option of OPTION_NAMES) {
    // A flag, a variable or the configuration file wins over the code as before.
    const decides = origins[option].from === "code" || origins[option].from === "default";
    if (!decides || now.options[option] === declared.options[option]) continue;
    const texts = { running: JSON.stringify(options[option]), wanted: now.options[option] ?? "the default" };
    kept.push({ option, ...(specOf(option).secret === true ? HIDDEN : texts) });
  }
  return kept;
}

/** Says once for each generation what its code asks for in vain. */
export class KeptOptions {
  readonly #running: RunningOptions;
  readonly #emit: (event: ChoirEvent) => void;
  /** The newest generation whose code has been heard of. */
  #heard = -1;

  constructor(running: RunningOptions, emit: (event: ChoirEvent) => void) {
    this.#running = running;
    this.#emit = emit;
  }

  /** Listens to what an instance's code has. */
  attach(child: Pick<Child, "onMessage">, generation: number): void {
    child.onMessage((message) => {
      if (message.choir !== "declared" || !isDeclaration(message) || generation <= this.#heard) return;
      this.#heard = generation;
      const options = keptOptions(this.#running, message);
      if (options.length > 0) this.#emit({ event: "options-kept", generation, options });
    });
  }
}

/** The channel is the app's too, and nothing on it may end the supervisor. */
function isDeclaration(value: unknown): value is Declaration {
  const { name, options } = value as { name?: unknown; options?: unknown };
  if (typeof name !== "string" || typeof options !== "object" || options === null) return false;
  return Object.values(options).every((text) => typeof text === "string");
}
