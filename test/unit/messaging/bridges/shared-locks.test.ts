// Several supervisors and one engine, over a clock that stands still: who holds what, and that no two ever do.
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { ChoirError } from "../../../../src/errors.ts";
import { Names } from "../../../../src/messaging/bridges/names.ts";
import { SharedLocks } from "../../../../src/messaging/bridges/shared-locks.ts";
import type { LockClaim, LockMode } from "../../../../src/messaging/lock-authority.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";
import { turns } from "../harness.ts";
import { type FakeLockConnection, FakeLockServer, LEASE_MS, StallingClock } from "./fake-locks.ts";

type State = "asked" | "held" | "lost" | "unavailable" | "refused" | "released";

class TestClaim implements LockClaim {
  readonly name: string;
  readonly mode: LockMode;
  readonly ifAvailable: boolean;
  readonly steal: boolean;
  readonly owner = { id: 0, uid: "uid" };
  state: State = "asked";
  token = 0;
  /** Its process. */
  clock: StallingClock | undefined;
  error: ChoirError | undefined;
  readonly #world: World;

  constructor(world: World, options: Partial<Pick<LockClaim, "name" | "mode" | "ifAvailable" | "steal">> = {}) {
    this.#world = world;
    this.name = options.name ?? "lock";
    this.mode = options.mode ?? "exclusive";
    this.ifAvailable = options.ifAvailable ?? false;
    this.steal = options.steal ?? false;
  }

  granted(token: number): void {
    this.#world.check(this.state === "asked", `${this.state} instead of asked`);
    this.state = "held";
    this.token = token;
    this.#world.onGranted(this);
  }

  unavailable(): void {
    this.#world.check(this.state === "asked", `${this.state} instead of asked`);
    this.state = "unavailable";
  }

  refused(error: ChoirError): void {
    this.#world.check(this.state === "asked", `${this.state} instead of asked`);
    this.state = "refused";
    this.error = error;
  }

  lost(error: ChoirError): void {
    this.#world.check(this.state === "held", `${this.state} instead of held`);
    this.state = "lost";
    this.error = error;
  }
}

/** The engine, some supervisors, and all claims that were ever made. */
class World {
  readonly clock = new FakeClock();
  readonly server = new FakeLockServer(this.clock);
  readonly names = new Names("app");
  readonly machines: {
    readonly locks: SharedLocks;
    readonly clock: StallingClock;
    connection: FakeLockConnection | undefined;
  }[] = [];
  readonly claims: TestClaim[] = [];
  readonly violations: string[] = [];

  constructor(machines: number) {
    worlds.push(this);
    for (let n = 0; n < machines; n++) {
      const clock = new StallingClock(this.clock);
      const locks = new SharedLocks({ names: this.names, clock, hasLocks: true });
      this.machines.push({ locks, clock, connection: undefined });
      this.connect(n);
    }
  }

  connect(machine: number): void {
    const at = this.machines[machine]!;
    at.connection ??= this.server.connect(at.locks, this.names, at.clock);
  }

  disconnect(machine: number): void {
    const at = this.machines[machine]!;
    if (at.connection !== undefined) this.server.disconnect(at.connection);
    at.connection = undefined;
  }

  ask(machine: number, options?: ConstructorParameters<typeof TestClaim>[1]): TestClaim {
    const claim = new TestClaim(this, options);
    claim.clock = this.machines[machine]!.clock;
    this.claims.push(claim);
    this.machines[machine]!.locks.request(claim);
    return claim;
  }

  release(machine: number, claim: TestClaim): void {
    if (claim.state === "asked" || claim.state === "held") claim.state = "released";
    void this.machines[machine]!.locks.release(claim);
  }

  /** Who calls back must not see what a test throws. */
  check(holds: boolean, otherwise: string): void {
    if (!holds) this.violations.push(otherwise);
  }

  onGranted(claim: TestClaim): void {
    const others = this.claims.filter(
      (other) =>
        other !== claim && other.name === claim.name && other.state === "held" && other.clock?.isStalled === false,
    );
    // A thief's victim on another machine learns of it a moment later.
    const isFair = claim.steal || others.every((other) => claim.mode === "shared" && other.mode === "shared");
    this.check(isFair, "two holders");
    // Of those who share at the same time, one may hear of it later than another whose grant came after.
    const before = this.claims.filter(
      (other) => other !== claim && other.name === claim.name && !(claim.mode === "shared" && other.mode === "shared"),
    );
    this.check(
      before.every(({ token }) => token < claim.token),
      "a token that is not above all before",
    );
  }

  stall(machine: number): void {
    this.machines[machine]!.clock.stall();
  }

  async resume(machine: number): Promise<void> {
    await this.machines[machine]!.clock.resume();
  }

  async pass(ms: number, step = 250): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      await turns(3);
      this.clock.advance(step);
    }
    await turns(3);
  }
}

let worlds: World[] = [];
afterEach(() => {
  const violations = worlds.flatMap((world) => world.violations);
  worlds = [];
  expect(violations).toEqual([]);
});

describe("locks of all machines", () => {
  it("go to one machine after the other, in the order they were asked for, with rising tokens", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const claims: TestClaim[] = [];
    for (const machine of [0, 1, 0, 1]) {
      claims.push(world.ask(machine));
      await turns();
    }
    for (const [at, claim] of claims.entries()) {
      expect(claims.map(({ state }) => state === "held")).toEqual(claims.map((_, other) => other === at));
      world.release(at % 2, claim);
      await turns(200);
    }
    expect(world.server.records.size).toBe(0);
  });

  it("are shared by those who share, behind an exclusive one that waits", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const first = world.ask(0, { mode: "shared" });
    const second = world.ask(1, { mode: "shared" });
    await turns();
    expect([first.state, second.state]).toEqual(["held", "held"]);
    const alone = world.ask(0);
    await turns();
    const third = world.ask(1, { mode: "shared" });
    await turns();
    expect([alone.state, third.state]).toEqual(["asked", "asked"]);
    world.release(0, first);
    world.release(1, second);
    await turns(200);
    expect([alone.state, third.state]).toEqual(["held", "asked"]);
    world.release(0, alone);
    await turns(200);
    expect(third.state).toBe("held");
    expect(await world.machines[0]!.locks.query()).toMatchObject({
      held: [{ name: "lock", mode: "shared" }],
      pending: [],
    });
  });

  it("are not waited for with ifAvailable, and taken with steal", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const holder = world.ask(0);
    await turns();
    const other = world.ask(1, { ifAvailable: true });
    await turns();
    expect([holder.state, other.state]).toEqual(["held", "unavailable"]);
    const thief = world.ask(1, { steal: true });
    await turns(200);
    expect([holder.state, holder.error?.code, thief.state]).toEqual(["lost", "ERR_CHOIR_LOCK_STOLEN", "held"]);
    world.disconnect(1);
    expect(world.ask(1, { ifAvailable: true })).toMatchObject({
      state: "refused",
      error: { code: "ERR_CHOIR_LOCK_ENGINE" },
    });
  });

  it("of a machine that is gone go to another one when the lease ends, and not before", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const holder = world.ask(0);
    await turns();
    const other = world.ask(1);
    world.disconnect(0);
    await world.pass(LEASE_MS * 0.75);
    expect([holder.state, other.state]).toEqual(["held", "asked"]);
    await world.pass(LEASE_MS * 0.1);
    // It has stopped, and nobody else has begun.
    expect([holder.state, holder.error?.code, other.state]).toEqual(["lost", "ERR_CHOIR_LOCK_LOST", "asked"]);
    await world.pass(LEASE_MS * 0.5);
    expect(other.state).toBe("held");
  });

  it("survive an outage that is shorter than the lease, and are given back behind one", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const holder = world.ask(0);
    const another = world.ask(0, { name: "another" });
    await turns();
    const waiting = world.ask(1, { name: "another" });
    world.disconnect(0);
    world.release(0, another);
    await world.pass(LEASE_MS * 0.5);
    world.connect(0);
    await world.pass(LEASE_MS * 0.3);
    expect([holder.state, waiting.state]).toEqual(["held", "held"]);
  });

  it("that were lost are others' soon, also when their machine is back before the engine has ended its lease", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const holder = world.ask(0);
    await turns();
    const waiting = world.ask(1);
    world.disconnect(0);
    await world.pass(LEASE_MS * 0.9);
    world.connect(0);
    await world.pass(LEASE_MS * 0.5);
    expect([holder.state, waiting.state]).toEqual(["lost", "held"]);
  });

  it("are asked for anew by those who waited when the session ended", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const holder = world.ask(0);
    await turns();
    const waiting = world.ask(1);
    await turns();
    world.disconnect(1);
    await world.pass(LEASE_MS * 2);
    world.connect(1);
    await world.pass(LEASE_MS * 0.5);
    world.release(0, holder);
    await turns(200);
    expect(waiting.state).toBe("held");
  });

  it("are others' at once when a supervisor ends as it should", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    world.ask(0);
    await turns();
    const waiting = world.ask(1);
    await turns();
    await world.machines[0]!.locks.close();
    await world.pass(LEASE_MS * 0.3);
    expect(waiting.state).toBe("held");
  });

  it("need an engine that keeps them, and say so", () => {
    const locks = new SharedLocks({ names: new Names("app"), clock: new FakeClock(), hasLocks: false });
    const claim = new TestClaim(new World(0));
    locks.request(claim);
    expect(claim.state).toBe("refused");
    expect(claim.error?.message).toContain("need NATS");
  });

  it("keep what runOnce has done", async () => {
    const world = new World(2);
    await world.pass(100, 50);
    const [one, other] = world.machines;
    expect(await one!.locks.recall("key")).toBeUndefined();
    await one!.locks.remember("key", Buffer.from("done"));
    expect(Buffer.from((await other!.locks.recall("key"))!).toString()).toBe("done");
    world.disconnect(0);
    const late = one!.locks.recall("key");
    late.catch(() => {});
    await world.pass(LEASE_MS * 3);
    await expect(late).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_ENGINE" });
  });
});

const machine = fc.integer({ min: 0, max: 2 });
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      machine,
      shared: fc.boolean(),
      ifAvailable: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("release" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect" as const), machine }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("connect" as const), machine }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stall" as const), machine }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resume" as const), machine }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(100, 1000, 6000, 15_000) }),
  },
);

it(
  "never has two holders and never goes backwards, whatever breaks; and in the end everyone has had it",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 10, maxLength: 50, size: "max" }),
        fc.infiniteStream(fc.nat(99)),
        async (actions, dice) => {
          const world = new World(3);
          const roll = (): number => dice.next().value as number;
          world.server.latency = () => (roll() < 50 ? 0 : roll() * 5);
          world.server.losesAnswer = () => roll() < 5;
          const owners = new Map<TestClaim, number>();
          for (const each of actions) {
            if (each.kind === "ask") {
              if (world.machines[each.machine]!.clock.isStalled) continue;
              const mode = each.shared ? "shared" : "exclusive";
              owners.set(world.ask(each.machine, { mode, ifAvailable: each.ifAvailable }), each.machine);
            } else if (each.kind === "release") {
              const claim = world.claims[each.which];
              if (claim !== undefined) world.release(owners.get(claim)!, claim);
            } else if (each.kind === "pass") await world.pass(each.ms);
            else await world[each.kind](each.machine);
          }
          world.server.losesAnswer = () => false;
          for (const at of [0, 1, 2]) {
            await world.resume(at);
            world.connect(at);
          }
          for (let round = 0; round < 60 && world.claims.some(({ state }) => state === "asked"); round++) {
            for (const claim of world.claims) if (claim.state === "held") world.release(owners.get(claim)!, claim);
            await world.pass(2500);
          }
          expect(world.violations).toEqual([]);
          expect(world.claims.map(({ state }) => state)).not.toContain("asked");
        },
      ),
      { numRuns: 200 },
    );
  },
);
