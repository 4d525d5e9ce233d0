/** A supervisor whose children do what a test says, with a clock of the test's. Used in unit tests. */
import type { ChoirEvent } from "../../src/events.ts";
import type { ToInstance, ToSupervisor } from "../../src/protocol.ts";
import type { Child, ChildExit } from "../../src/supervisor/child.ts";
import type { Outcome } from "../../src/supervisor/context.ts";
import { Instance } from "../../src/supervisor/instance.ts";
import type { Launcher } from "../../src/supervisor/launcher.ts";
import { Supervisor } from "../../src/supervisor/supervisor.ts";
import { FakeClock } from "./fake-clock.ts";

/** A child that does what the test says. */
export class FakeChild {
  readonly sent: ToInstance[] = [];
  readonly signals: string[] = [];
  readonly exited: Promise<ChildExit>;
  #exit!: (exit: ChildExit) => void;
  #listener: (message: ToSupervisor) => void = () => {};
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  asChild(): Child {
    return {
      pid: this.pid,
      exited: this.exited,
      onMessage: (listener) => {
        this.#listener = listener;
      },
      send: (message) => this.sent.push(message),
      kill: (signal) => this.signals.push(signal),
    } as Partial<Child> as Child;
  }

  say(message: ToSupervisor): void {
    this.#listener(message);
  }

  async end(code: number | null, signal: NodeJS.Signals | null = null): Promise<void> {
    this.#exit({ code, signal });
    await this.exited;
    await Promise.resolve();
  }
}

export interface Setup {
  readonly supervisor: Supervisor;
  readonly children: FakeChild[];
  /** The generation of each child. */
  readonly generations: number[];
  readonly events: ChoirEvent[];
  readonly clock: FakeClock;
  outcome: Outcome | undefined;
}

export interface SetupOptions {
  readonly instances?: number;
  readonly respawn?: boolean;
  readonly maxSurge?: string;
  /** Whether the code of a generation is still there; default: all is. */
  readonly isThere?: (generation: number) => boolean;
}

/** Starts it; nobody is ready yet. */
export function setUp(options: SetupOptions = {}): Setup {
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const events: ChoirEvent[] = [];
  const generations: number[] = [];
  const launcher: Launcher = {
    launch({ slot, generation }, observer) {
      const child = new FakeChild(1000 + children.length);
      children.push(child);
      const limits = { startTimeout: 60_000, shutdownTimeout: 30_000 };
      const spec = { slot, generation, uid: String(child.pid) };
      generations.push(generation);
      return new Instance(child.asChild(), spec, { limits, clock, observer, lastWords: () => ["last words"] });
    },
    prepare: () => {},
    isThere: options.isThere ?? (() => true),
  };
  const supervisor = new Supervisor(
    {
      name: "test",
      version: "0.0.0",
      instances: options.instances ?? 1,
      respawn: options.respawn ?? true,
      maxSurge: options.maxSurge ?? "1",
      canaryTime: 3000,
      urls: ["http://127.0.0.1:3000"],
    },
    { launcher, clock, emit: (event) => events.push(event) },
  );
  const setup: Setup = { supervisor, children, generations, events, clock, outcome: undefined };
  void supervisor.finished.then((outcome) => {
    setup.outcome = outcome;
  });
  supervisor.start();
  return setup;
}
