/**
 * The Runner: makes a file a program that is the supervisor when a person starts it, and an instance when the supervisor does.
 * The composition root of both; it loads only the side that the process needs.
 */
import { ChoirError, describeThrown, EXIT, quote } from "./errors.ts";
import { assumeRole, claimProcess, currentRole } from "./instance/role.ts";
import { programArguments } from "./options/environment.ts";
import type { ConfigureServer } from "./instance/app.ts";
import type { RunnerOptions } from "./runner-options.ts";
import { StrayErrors } from "./stray-errors.ts";

export class Runner {
  readonly #name: string;
  readonly #configureServer: ConfigureServer;
  readonly #options: RunnerOptions;

  /**
   * `name` is the app's name in log lines; `configureServer` runs in every instance and adds routes to the app it is given, or
   * returns an app of its own.
   */
  constructor(name: string, configureServer: ConfigureServer, options: RunnerOptions = {}) {
    if (typeof name !== "string" || !/^[\w.@-]{1,64}$/.test(name)) {
      throw new ChoirError(
        "ERR_CHOIR_RUNNER",
        `The Runner's name must be 1 to 64 letters, digits, "_", ".", "@" or "-", got ${quote(name)}`,
        {
          hint: 'Write new Runner("example", configureServer)',
        },
      );
    }
    this.#name = name;
    this.#configureServer = configureServer;
    this.#options = options;
  }

  /**
   * Runs the program. In the supervisor it does not return: it ends the process with one of the exit codes of the documentation.
   * In an instance it is resolved when the instance has drained. `args` are the command line, without node and the file.
   */
  async run(args: readonly string[] = programArguments().args): Promise<void> {
    if (claimProcess()) {
      throw new ChoirError(
        "ERR_CHOIR_RUNNER",
        `run() was called for a second time in one process, by Runner ${quote(this.#name)}`,
        {
          hint: "A program is one Runner: put the other one into a file of its own, or its routes into the same configureServer",
        },
      );
    }
    const role = currentRole();
    if (role?.kind === "instance") {
      const { serveInstance } = await import("./instance/serve.ts");
      const definition = { name: this.#name, configureServer: this.#configureServer, options: this.#options };
      await serveInstance(role, definition);
      return;
    }
    assumeRole({ kind: "supervisor" });
    const strayErrors = new StrayErrors();
    // From here on nothing that is thrown ends the process by itself: not even a failure to load Choir.
    const { supervise } = await import("./cli/supervise.ts").catch((error: unknown) => {
      process.stderr.write(`${this.#name}: Choir cannot be loaded: ${describeThrown(error)}\n`);
      process.exit(EXIT.fatal);
    });
    const code = await supervise({
      name: this.#name,
      configureServer: this.#configureServer,
      options: this.#options,
      args,
      strayErrors,
    });
    process.exit(code);
  }
}
