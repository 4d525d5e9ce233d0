/**
 * What follows from an error that nobody caught: --uncaught, and with --use-zone the answer to the request that it came from.
 * Runs in the instance; the supervisor's part is `leaving` in src/supervisor/supervisor.ts.
 */
import type { Logger } from "pino";
import type { Clock, Timer } from "../clock.ts";
import type { Connections } from "../http/connections.ts";
import type { Failure } from "../http/failure.ts";
import type { InstanceOptions } from "../options/table.ts";
import type { OpenRequest } from "../protocol.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { LineLimit } from "./line-limit.ts";
import { Unanswered } from "./unanswered.ts";
import type { Zone, Zones } from "./zone.ts";

export interface UncaughtSetup {
  readonly options: Pick<InstanceOptions, "uncaught" | "shutdownTimeout">;
  readonly lifecycle: Pick<Lifecycle, "hasBeenReady" | "fail" | "failed">;
  readonly zones: Zones | undefined;
  /** Looked up when it is used. */
  readonly logger: () => Pick<Logger, "fatal" | "error" | "warn" | "debug">;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  readonly clock: Clock;
}

/** Longest silence that a drain waits for before it gives up what nobody is going to answer. */
const SILENT_MS = 10_000;

/** What a handler stumbles over when its request has been answered for it. */
const AFTERMATH = new Set([
  "ERR_HTTP_HEADERS_SENT",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_STREAM_DESTROYED",
  "ERR_HTTP2_HEADERS_SENT",
  "ERR_HTTP2_INVALID_STREAM",
]);

const FATES: { readonly [F in Failure]: string } = {
  answered: "its request was answered with 500",
  cut: "its request was cut off, since its answer had begun",
  over: "its request was over",
};

const CONSEQUENCES: { readonly [P in InstanceOptions["uncaught"]]: string } = {
  replace: "the instance is replaced",
  exit: "the instance ends",
  keep: "the instance carries on (--uncaught keep)",
};

/** The instance's handler of uncaught errors. */
export class UncaughtErrors {
  readonly #setup: UncaughtSetup;
  readonly #limit: LineLimit;
  #unanswered: Unanswered | undefined;
  #leaving = false;
  /** Told of the next error that is no request's own. */
  readonly #awaiting: (() => void)[] = [];

  constructor(setup: UncaughtSetup) {
    this.#setup = setup;
    this.#limit = new LineLimit(setup.clock, (lines) => {
      setup.logger().error({ lines }, `${lines} more uncaught errors, not logged one by one while the instance leaves`);
    });
  }

  /** From now on the requests of these connections may be left without an answer. */
  serving(connections: Pick<Connections, "exchanges">): void {
    this.#unanswered = new Unanswered(connections);
  }

  /** Takes what `uncaughtException` is given. */
  handle(thrown: unknown, origin: "uncaughtException" | "unhandledRejection"): void {
    const { lifecycle, zones, logger } = this.#setup;
    if (!lifecycle.hasBeenReady) {
      lifecycle.fail(thrown);
      return;
    }
    const zone = zones?.blame(thrown);
    if (zone === undefined) {
      this.#unanswered?.note();
      this.#follow({ err: thrown }, "");
    } else if (zone.failed && AFTERMATH.has(codeOf(thrown))) {
      logger().debug({ err: thrown, ...fieldsOf(zone) }, "A handler went on after its request was answered with 500");
    } else {
      this.#followZone(thrown, { zone, rejected: origin === "unhandledRejection" });
    }
  }

  /** Resolved at the next error that nobody caught, unless it is a request's alone. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#awaiting.push(resolve));
  }

  /** In a drain: gives up the requests that nobody is going to answer. */
  giveUpUnanswered(): Timer | undefined {
    const { clock, options } = this.#setup;
    const silentMs = Math.min(SILENT_MS, options.shutdownTimeout / 3);
    return this.#unanswered?.giveUp({ clock, silentMs, onGivenUp: (requests) => this.#logGivenUp(requests, silentMs) });
  }

  #followZone(thrown: unknown, { zone, rejected }: { zone: Zone; rejected: boolean }): void {
    const fields = { err: thrown, ...fieldsOf(zone) };
    const fate = FATES[zone.fail()];
    if (rejected) this.#setup.logger().error(fields, `A rejected promise that nobody awaited: ${fate}`);
    else this.#follow(fields, `, ${fate}`);
  }

  #follow(fields: object, fate: string): void {
    const { options, lifecycle, logger, exit } = this.#setup;
    for (const resolve of this.#awaiting.splice(0)) resolve();
    const message = `Uncaught error: ${CONSEQUENCES[options.uncaught]}${fate}`;
    if (options.uncaught === "keep") {
      logger().error(fields, message);
    } else if (options.uncaught === "exit") {
      logger().fatal(fields, message);
      exit(1);
    } else if (this.#leaving) {
      this.#limit.line(() => logger().error(fields, `Uncaught error while the instance is being replaced${fate}`));
    } else {
      this.#leaving = true;
      logger().fatal(fields, message);
      lifecycle.failed();
    }
  }

  #logGivenUp(requests: readonly OpenRequest[], silentMs: number): void {
    this.#setup
      .logger()
      .warn(
        { requests },
        `Requests open since an uncaught error and silent for ${silentMs / 1000} s: answered with 500, or cut off`,
      );
  }
}

function fieldsOf({ id, method, path }: Zone): object {
  return { requestId: id, req: { method, path } };
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}
