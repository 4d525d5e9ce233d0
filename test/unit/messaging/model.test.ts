/**
 * Random histories of several clients against a model that knows nothing of frames, chunks or caches. A failure prints its seed
 * and path: TEST_SEED=… TEST_PATH=… runs that history alone.
 */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { historyOptions } from "../../helpers/histories.ts";
import { matches } from "../../../src/messaging/topics.ts";
import type { MessageInfo, Subscription } from "../../../src/messaging/pubsub.ts";
import { Harness, settle, until, type Connection } from "./harness.ts";

const CLIENTS = 3;
const TOPICS = ["a", "a.b", "a.c", "b.c.d"];
const PATTERNS = [...TOPICS, "a.*", "*.c", "a.>", ">", "*"];

interface Sent {
  readonly publisher: string;
  readonly n: number;
}

/** One subscription: what it got, and what it should have got. */
interface Watch {
  readonly pattern: string;
  readonly owner: string;
  readonly subscription: Subscription;
  readonly retained: Map<string, Sent>;
  readonly expectedRetained: ReadonlyMap<string, Sent>;
  readonly live: Map<string, number[]>;
  readonly expected: Map<string, number[]>;
  active: boolean;
  retainedAfterLive: boolean;
}

interface Member {
  readonly name: string;
  readonly connection: Connection;
}

class World {
  readonly harness = new Harness();
  readonly members: Member[] = [];
  readonly watches: Watch[] = [];
  /** What was published and may have to wait for one who does not read. */
  #publishing: Promise<void>[] = [];
  readonly retained = new Map<string, Sent>();
  #names = 0;
  #n = 0;

  constructor() {
    for (let at = 0; at < CLIENTS; at++) this.members.push(this.#join());
  }

  publish(at: number, topic: string, { retain, size }: { retain: boolean; size: number }): void {
    const { name, connection } = this.#member(at);
    const sent = { publisher: name, n: this.#n++ };
    for (const watch of this.watches) {
      if (watch.active && watch.owner !== name && matches(watch.pattern, topic)) note(watch.expected, sent);
    }
    if (retain) this.retained.set(topic, sent);
    this.#publishing.push(connection.client.publish(topic, { ...sent, fill: "x".repeat(size) }, { retain }));
  }

  /** Reads nothing until the world settles: the clock stands still, so publishers wait and nothing may be lost. */
  stall(at: number): void {
    this.#member(at).connection.theirs.pause();
  }

  async subscribe(at: number, pattern: string): Promise<void> {
    const { name, connection } = this.#member(at);
    const retained = new Map<string, Sent>();
    const live = new Map<string, number[]>();
    let retainedAfterLive = false;
    const handler = ({ publisher, n }: Sent, info: MessageInfo) => {
      if (!info.retained) note(live, { publisher, n });
      else {
        retainedAfterLive ||= live.size > 0 || retained.has(info.topic);
        retained.set(info.topic, { publisher, n });
      }
    };
    const expectedRetained = new Map([...this.retained].filter(([topic]) => matches(pattern, topic)));
    const subscription = await connection.client.subscribe<Sent>(pattern, handler);
    const watch = {
      pattern,
      owner: name,
      subscription,
      retained,
      expectedRetained,
      live,
      expected: new Map(),
      active: true,
    };
    this.watches.push(
      Object.defineProperty({ ...watch, retainedAfterLive }, "retainedAfterLive", { get: () => retainedAfterLive }),
    );
  }

  async unsubscribe(index: number): Promise<void> {
    const active = this.watches.filter((watch) => watch.active);
    const watch = active[index % Math.max(active.length, 1)];
    if (watch === undefined) return;
    watch.active = false;
    await watch.subscription.unsubscribe();
  }

  async clear(at: number, topic: string): Promise<void> {
    this.retained.delete(topic);
    await this.#member(at).connection.client.clear(topic);
  }

  /** What it published last, without waiting, is to arrive all the same. */
  async drain(at: number, topics: readonly string[]): Promise<void> {
    const { name, connection } = this.#member(at);
    for (const watch of this.watches) if (watch.owner === name) watch.active = false;
    for (const topic of topics) this.publish(at, topic, { retain: false, size: 100 });
    await connection.client.retire();
    await connection.client.close();
    await until(() => connection.peer.closed);
    this.members[at % CLIENTS] = this.#join();
  }

  async crash(at: number): Promise<void> {
    const { name, connection } = this.#member(at);
    for (const watch of this.watches) if (watch.owner === name) watch.active = false;
    connection.theirs.destroy();
    connection.ours.destroy();
    await until(() => connection.peer.closed);
    this.members[at % CLIENTS] = this.#join();
  }

  async settle(): Promise<void> {
    for (const { connection } of this.members) connection.theirs.resume();
    await Promise.all(this.#publishing);
    this.#publishing = [];
    await settle(this.members.map(({ connection }) => connection.client));
  }

  check(): void {
    for (const watch of this.watches) {
      expect(watch.retained).toEqual(watch.expectedRetained);
      expect(watch.retainedAfterLive).toBe(false);
      expect(watch.live).toEqual(watch.expected);
    }
    for (const { connection } of this.members) {
      expect(connection.reported).toEqual([]);
      expect(connection.broken).toEqual([]);
      expect(connection.overloads).toEqual([]);
    }
    expect(this.harness.broker.stats).toMatchObject({
      peers: CLIENTS,
      subscriptions: new Set(
        this.watches.filter(({ active }) => active).map(({ owner, pattern }) => `${owner} ${pattern}`),
      ).size,
      retained: this.retained.size,
    });
  }

  #join(): Member {
    const name = `client-${this.#names++}`;
    return { name, connection: this.harness.connect({ eager: this.#names % 2 === 0 }) };
  }

  #member(at: number): Member {
    const member = this.members[at % CLIENTS];
    if (member === undefined) throw new Error(`No client ${at}`);
    return member;
  }
}

function note(into: Map<string, number[]>, { publisher, n }: Sent): void {
  const list = into.get(publisher);
  if (list === undefined) into.set(publisher, [n]);
  else list.push(n);
}

const client = fc.nat(CLIENTS - 1);
const topic = fc.constantFrom(...TOPICS);
const size = fc.oneof(
  { weight: 8, arbitrary: fc.nat(50) },
  { weight: 2, arbitrary: fc.nat(20_000) },
  { weight: 1, arbitrary: fc.nat(200_000) },
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      each: fc.array(fc.record({ client, topic, size }), { minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("retain" as const), client, topic, size }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("subscribe" as const), client, pattern: fc.constantFrom(...PATTERNS) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), index: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), client, topic }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stall" as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("drain" as const), client, topics: fc.array(topic, { maxLength: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), client }) },
);

it("every subscription gets what it should: in order, once, nothing of its own, nothing lost, the retained first", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: "max" }), async (steps) => {
      const world = new World();
      for (const each of steps) {
        switch (each.do) {
          case "publish":
            // Not awaited one by one: several publishers and sizes are on their way at once.
            for (const one of each.each) world.publish(one.client, one.topic, { retain: false, size: one.size });
            break;
          case "retain":
            await world.settle();
            world.publish(each.client, each.topic, { retain: true, size: each.size });
            await world.settle();
            break;
          case "stall":
            world.stall(each.client);
            break;
          case "drain":
            await world.settle();
            await world.drain(each.client, each.topics);
            break;
          case "subscribe":
            await world.settle();
            await world.subscribe(each.client, each.pattern);
            break;
          case "unsubscribe":
            await world.settle();
            await world.unsubscribe(each.index);
            break;
          case "clear":
            await world.settle();
            await world.clear(each.client, each.topic);
            break;
          case "crash":
            await world.settle();
            await world.crash(each.client);
            break;
        }
      }
      await world.settle();
      world.check();
    }),
    historyOptions(150),
  );
});
