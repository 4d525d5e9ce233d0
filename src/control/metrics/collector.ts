/**
 * Puts together what a scrape answers: what instances said in their heartbeats, what was counted here, and the app's own metrics, which
 * instances are asked for. Who does not answer in time is marked as stale and fails nobody else. Runs in the supervisor.
 */
import type { Instance } from "../../supervisor/instance.ts";
import { collect } from "../../supervisor/inquiries.ts";
import type { Supervisor } from "../../supervisor/supervisor.ts";
import { AppMetrics } from "./app.ts";
import type { EventCounts } from "./event-counts.ts";
import { type Family, formatFor } from "./family.ts";
import { ownFamilies } from "./own.ts";
import { readAppMetrics } from "./read-app.ts";
import type { MessageCounts, QueueLength } from "./sources.ts";

/** A document as a scrape gets it. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface CollectorSetup {
  readonly supervisor: Pick<Supervisor, "snapshot" | "measurements" | "live">;
  readonly events: EventCounts;
  readonly messages: () => MessageCounts;
  readonly queues: () => Promise<readonly QueueLength[]>;
  /** What becomes of the app's own metrics. */
  readonly appMetrics: "sum" | "instance" | "off";
}

/** How long an instance may take to answer, in milliseconds; scrapes usually give up after 10 s. */
const ANSWER_MS = 1000;
const MOST_BYTES = 8 * 1024 * 1024;

export class MetricsCollector {
  readonly #setup: CollectorSetup;
  readonly #app: AppMetrics | undefined;
  /** Instances that have not answered yet, or too late: they are not asked again before. */
  readonly #asked = new Set<string>();
  #collecting: Promise<Family[]> | undefined;

  constructor(setup: CollectorSetup) {
    this.#setup = setup;
    const { appMetrics } = setup;
    this.#app = appMetrics === "off" ? undefined : new AppMetrics({ merge: appMetrics });
  }

  /** Everything, in the form that `accept` asks for. Who asks while it is being collected gets the same. */
  async metrics(accept: string | undefined): Promise<MetricsText> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    const families = await this.#collecting;
    const format = formatFor(accept);
    return { contentType: format.contentType, text: format.render(families) };
  }

  async #collect(): Promise<Family[]> {
    const { supervisor, events, messages, queues } = this.#setup;
    const [silent, lengths] = await Promise.all([this.#askAll(), queues()]);
    const { user, system } = process.cpuUsage();
    const own = ownFamilies({
      snapshot: supervisor.snapshot(),
      totals: supervisor.measurements.totals,
      events,
      messages: messages(),
      queues: lengths,
      supervisor: { cpuUser: user / 1000, cpuSystem: system / 1000, rss: process.memoryUsage.rss() },
      silent,
    });
    return [...own, ...(this.#app?.families(new Set(own.map(({ name }) => name))) ?? [])];
  }

  /** Asks every instance for the app's metrics; gives the slots of those that did not answer. */
  async #askAll(): Promise<Set<number>> {
    const silent = new Set<number>();
    const app = this.#app;
    if (app === undefined) return silent;
    const { live } = this.#setup.supervisor;
    app.release(new Set(live.map(({ uid }) => uid)));
    // One that starts has none yet, and one that is being killed does not answer.
    const asked = live.filter(({ state }) => state === "ready" || state === "draining");
    await Promise.all(
      asked.map(async (instance) => {
        if (!(await this.#ask(instance, app))) silent.add(instance.slot);
      }),
    );
    return silent;
  }

  async #ask(instance: Instance, app: AppMetrics): Promise<boolean> {
    const { uid } = instance;
    if (this.#asked.has(uid)) return false;
    this.#asked.add(uid);
    try {
      const json = await collect(instance.ask({ about: "app-metrics" }, ANSWER_MS), MOST_BYTES);
      app.take(instance, readAppMetrics(json.toString("utf8")));
      return true;
    } catch {
      return false;
    } finally {
      this.#asked.delete(uid);
    }
  }
}
