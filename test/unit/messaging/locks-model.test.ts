/**
 * Random histories of locks and requests against a model of the Web Locks API's queue: after every step the broker and the callbacks
 * that run are what the model says. A failure prints its seed and path: TEST_SEED=… TEST_PATH=… runs that history alone.
 */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { LockMode } from "../../../src/messaging/lock-authority.ts";
import { historyOptions } from "../../helpers/histories.ts";
import { Harness, settle, until, type Connection } from "./harness.ts";

const CLIENTS = 3;
const NAMES = ["a", "b"];

type Outcome = "done" | "unavailable" | "stolen" | "given up" | "gone";

/** One request of a lock, as the model sees it and as it went. */
interface Wish {
  readonly client: number;
  readonly uid: string;
  readonly name: string;
  readonly mode: LockMode;
  readonly controller: AbortController;
  expected: "waits" | "holds" | Outcome;
  running: boolean;
  token: number;
  actual: Outcome | undefined;
  release(): void;
}

class World {
  readonly harness = new Harness();
  readonly wishes: Wish[] = [];
  readonly connections: Connection[] = [];
  #uids = 0;

  constructor() {
    for (let at = 0; at < CLIENTS; at++) this.connections.push(this.#join());
  }

  ask(client: number, name: string, options: { mode: LockMode; ifAvailable: boolean; steal: boolean }): void {
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const controller = new AbortController();
    const wish: Wish = {
      client,
      uid: this.#uidOf(client),
      name,
      mode: options.mode,
      controller,
      expected: "waits",
      running: false,
      token: 0,
      actual: undefined,
      release,
    };
    this.#decide(wish, options);
    this.wishes.push(wish);
    const { mode, ifAvailable, steal } = options;
    const how = steal ? { steal } : ifAvailable ? { mode, ifAvailable } : { mode, signal: controller.signal };
    this.#connection(client)
      .client.locks.request(name, how, async (lock) => {
        if (lock === null) return "unavailable" as const;
        wish.running = true;
        wish.token = lock.token;
        await released;
        wish.running = false;
        return "done" as const;
      })
      .then(
        (outcome) => (wish.actual = outcome),
        (error: unknown) => (wish.actual = outcomeOf(error)),
      );
  }

  release(index: number): void {
    const held = this.#that("holds");
    const wish = held[index % Math.max(held.length, 1)];
    if (wish === undefined) return;
    wish.expected = "done";
    wish.release();
    this.#advance(wish.name);
  }

  giveUp(index: number): void {
    const waiting = this.#that("waits");
    const wish = waiting[index % Math.max(waiting.length, 1)];
    if (wish === undefined) return;
    wish.expected = "given up";
    wish.controller.abort("given up");
    this.#advance(wish.name);
  }

  async crash(client: number): Promise<void> {
    const { theirs, ours, peer } = this.#connection(client);
    theirs.destroy();
    ours.destroy();
    await until(() => peer.closed);
    for (const wish of this.wishes) {
      if (wish.client !== client || (wish.expected !== "holds" && wish.expected !== "waits")) continue;
      wish.expected = "gone";
    }
    for (const wish of this.wishes) if (wish.client === client) wish.release();
    this.connections[client] = this.#join();
    for (const name of NAMES) this.#advance(name);
  }

  async check(): Promise<void> {
    const clients = this.connections.map(({ client }) => client);
    await settle(clients);
    await settle(clients);
    const shown = (those: readonly Wish[]) => those.map(({ name, mode, uid }) => ({ name, mode, clientId: uid }));
    for (const { client } of this.connections) {
      const { held, pending } = await client.locks.query();
      expect(sorted(held.map(({ name, mode, clientId }) => ({ name, mode, clientId })))).toEqual(
        sorted(shown(this.#that("holds"))),
      );
      for (const name of NAMES) {
        const queue = pending.filter((each) => each.name === name).map(({ clientId }) => clientId);
        expect(queue).toEqual(this.#that("waits", name).map(({ uid }) => uid));
      }
    }
    for (const wish of this.wishes) {
      const isOpen = wish.expected === "holds" || wish.expected === "waits";
      expect(wish.actual).toBe(isOpen ? undefined : wish.expected);
      if (isOpen) expect(wish.running).toBe(wish.expected === "holds");
    }
    const tokens = this.wishes.map(({ token }) => token).filter((token) => token > 0);
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const { broken, reported } of this.connections) expect([...broken, ...reported]).toEqual([]);
  }

  #that(expected: Wish["expected"], name?: string): Wish[] {
    return this.wishes.filter((wish) => wish.expected === expected && (name === undefined || wish.name === name));
  }

  #decide(wish: Wish, { ifAvailable, steal }: { ifAvailable: boolean; steal: boolean }): void {
    const held = this.#that("holds", wish.name);
    if (steal) {
      for (const loser of held) loser.expected = "stolen";
      wish.expected = "holds";
    } else if (this.#that("waits", wish.name).length === 0 && areCompatible(held, wish)) wish.expected = "holds";
    else if (ifAvailable) wish.expected = "unavailable";
  }

  #advance(name: string): void {
    for (const wish of this.#that("waits", name)) {
      if (!areCompatible(this.#that("holds", name), wish)) return;
      wish.expected = "holds";
    }
  }

  #join(): Connection {
    this.#uids++;
    return this.harness.connect({ eager: this.#uids % 2 === 0 });
  }

  #connection(at: number): Connection {
    const connection = this.connections[at];
    if (connection === undefined) throw new Error(`No client ${at}`);
    return connection;
  }

  #uidOf(at: number): string {
    return String(this.#connection(at).peer.id);
  }
}

function areCompatible(held: readonly Wish[], { mode }: Wish): boolean {
  return held.length === 0 || (mode === "shared" && held.every((each) => each.mode === "shared"));
}

function outcomeOf(error: unknown): Outcome {
  if (error === "given up") return "given up";
  return (error as Error).name === "AbortError" ? "stolen" : "gone";
}

function sorted(list: readonly object[]): string[] {
  return list.map((each) => JSON.stringify(each)).toSorted((a, b) => (a < b ? -1 : 1));
}

const client = fc.nat(CLIENTS - 1);
const lock = fc.record({
  do: fc.constant("ask" as const),
  client,
  name: fc.constantFrom(...NAMES),
  how: fc.constantFrom(
    { mode: "exclusive" as LockMode, ifAvailable: false, steal: false },
    { mode: "exclusive" as LockMode, ifAvailable: false, steal: false },
    { mode: "shared" as LockMode, ifAvailable: false, steal: false },
    { mode: "shared" as LockMode, ifAvailable: true, steal: false },
    { mode: "exclusive" as LockMode, ifAvailable: true, steal: false },
    { mode: "exclusive" as LockMode, ifAvailable: false, steal: true },
  ),
});
const step = fc.oneof(
  { weight: 8, arbitrary: lock },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("release" as const), index: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("give up" as const), index: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), client }) },
);

it("locks are held and waited for as the model says, in order, whatever gives up, steals or crashes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: "max" }), async (steps) => {
      const world = new World();
      for (const each of steps) {
        if (each.do === "ask") world.ask(each.client, each.name, each.how);
        else if (each.do === "release") world.release(each.index);
        else if (each.do === "give up") world.giveUp(each.index);
        else await world.crash(each.client);
        await world.check();
      }
    }),
    historyOptions(80),
  );
});

const request = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("ask" as const), client, all: fc.boolean(), size: fc.nat(30_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("respond" as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), client }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("answer" as const) }) },
);

it("every request ends once: with its own answers, or with who is gone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 40, size: "max" }), async (steps) => {
      const harness = new Harness();
      const connections = Array.from({ length: CLIENTS }, (_, at) => harness.connect({ eager: at % 2 === 0 }));
      const ends: Promise<void>[] = [];
      let held: (() => void)[] = [];
      let asked = 0;
      const echo = (value: unknown): Promise<unknown> => new Promise((resolve) => held.push(() => resolve(value)));
      const answer = (): void => {
        for (const each of held) each();
        held = [];
      };
      for (const each of steps) {
        const connection = connections["client" in each ? each.client : 0]!;
        if (each.do === "answer") answer();
        else if (each.do === "respond") await connection.client.respond("echo", echo).catch(mustBe("ERR_CHOIR_TOPIC"));
        else if (each.do === "crash") {
          connection.theirs.destroy();
          connection.ours.destroy();
          connections[each.client] = harness.connect({ eager: asked % 2 === 0 });
        } else {
          const value = { n: asked++, fill: "x".repeat(each.size) };
          const gone = mustBe("ERR_CHOIR_NO_RESPONDER", "ERR_CHOIR_RESPONDER_GONE", "ERR_CHOIR_PUBSUB_CLOSED");
          ends.push(
            each.all
              ? connection.client.requestAll("echo", value).then(({ answers, failed }) => {
                  expect(failed).toEqual([]);
                  for (const one of answers) expect(one.value).toEqual(value);
                }, gone)
              : connection.client.request("echo", value).then((got) => expect(got).toEqual(value), gone),
          );
        }
      }
      // As often as a request may have to wait for one that was not there yet.
      const settling = setInterval(answer, 1);
      await Promise.all(ends).finally(() => clearInterval(settling));
      expect(harness.broker.stats.requests).toBe(0);
      for (const { broken, reported } of connections) expect([...broken, ...reported]).toEqual([]);
    }),
    historyOptions(80),
  );
});

function mustBe(...codes: string[]): (error: unknown) => void {
  return (error) => expect(codes).toContain((error as { code?: string }).code);
}
