/** Starts, crashes, wishes to leave, restarts and changes of size in any order: whatever happened, in the end all slots serve. */
import { expect, test } from "vitest";
import type { RestartResult } from "../../../src/supervisor/snapshot.ts";
import { type FakeChild, type Setup, setUp } from "../../helpers/fake-supervisor.ts";
import { seededRandom } from "../../helpers/random.ts";

const RUNS = 400;
const DEEDS = 60;

class Chaos {
  readonly #setup: Setup;
  readonly #random: () => number;
  readonly #ended = new Set<FakeChild>();
  readonly #ready = new Set<FakeChild>();
  readonly results: (RestartResult | undefined)[] = [];
  /** What is awaited of restarts and changes of size. */
  pending = 0;
  wanted: number;
  readonly log: string[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.wanted = 1 + this.#below(3);
    this.#setup = setUp({ instances: this.wanted, maxSurge: ["1", "2", "100%"][this.#below(3)]! });
    // A start that nobody gets through is given up: that is another matter.
    this.#say(this.#setup.children[0]!);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  get live(): FakeChild[] {
    return this.#setup.children.filter((child) => !this.#ended.has(child));
  }

  get setup(): Setup {
    return this.#setup;
  }

  async deed(): Promise<void> {
    const { supervisor, clock } = this.#setup;
    const child = this.live[this.#below(this.live.length)];
    const dice = this.#below(20);
    if (dice < 7 && child !== undefined) this.#say(child);
    else if (dice < 10 && child !== undefined) await this.#end(child, this.#isTold(child) ? 0 : 1);
    else if (dice < 12 && child !== undefined && this.#ready.has(child)) {
      this.log.push(`${child.pid} leaves`);
      child.say({ choir: "leaving", reason: this.#below(2) === 0 ? "left" : "uncaught" });
    } else if (dice < 14) {
      this.log.push("restart");
      this.#await(supervisor.restart("chaos").then((result) => this.results.push(result)));
    } else if (dice < 15) {
      this.wanted = 1 + this.#below(4);
      this.log.push(`scale ${this.wanted}`);
      this.#await(supervisor.scale(this.wanted, "chaos"));
    } else {
      const ms = [1, 300, 3000, 20_000][this.#below(4)]!;
      this.log.push(`${ms} ms`);
      clock.advance(ms);
    }
    await this.#settle(this.#below(3) * 20);
  }

  /** From now on every start succeeds and who is told to go goes. */
  async calm(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      for (const child of this.live) {
        if (this.#isTold(child)) await this.#end(child, 0);
        else if (!this.#ready.has(child)) this.#say(child);
      }
      await this.#settle(40);
      this.#setup.clock.advance(4000);
      await this.#settle(40);
    }
  }

  #say(child: FakeChild): void {
    this.log.push(`${child.pid} ready`);
    this.#ready.add(child);
    child.say({ choir: "ready" });
  }

  #isTold(child: FakeChild): boolean {
    return child.sent.length > 0 || child.signals.length > 0;
  }

  async #end(child: FakeChild, code: number): Promise<void> {
    this.log.push(`${child.pid} ends with ${code}`);
    this.#ended.add(child);
    await child.end(code);
  }

  #await(promise: Promise<unknown>): void {
    this.pending += 1;
    void promise.then(() => (this.pending -= 1));
  }

  async #settle(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
  }
}

test(`${RUNS} lives of a supervisor`, async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const chaos = new Chaos(seed);
    const { supervisor } = chaos.setup;
    for (let n = 0; n < DEEDS; n++) await chaos.deed();
    await chaos.calm();
    const story = `seed ${seed}: ${chaos.log.join(", ")}`;
    const { slots, generation, state, ready } = supervisor.snapshot();
    expect(chaos.pending, `${story}: what is still awaited`).toBe(0);
    expect({ state, ready, slots: slots.length }, story).toEqual({
      state: "running",
      ready: chaos.wanted,
      slots: chaos.wanted,
    });
    const serving = slots.map(({ instances }) => instances.map((instance) => instance.state));
    expect(serving, story).toEqual(slots.map(() => ["ready"]));
    const mixed = chaos.results.some((result) => result?.outcome === "mixed");
    const generations = new Set(slots.flatMap(({ instances }) => instances.map((instance) => instance.generation)));
    if (!mixed) expect([...generations], story).toEqual([generation]);

    supervisor.stop("chaos");
    await chaos.calm();
    expect(chaos.setup.outcome, story).toMatchObject({ code: 0 });
    expect(chaos.live, story).toEqual([]);
  }
});
