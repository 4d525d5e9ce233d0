// Brokers of several machines over an engine within the process, and a clock that stands still.
import { afterEach, describe, expect, it } from "vitest";
import { turns, until } from "../harness.ts";
import { FakeHub } from "./fake-engine.ts";
import { Machine, closeMachines, pair } from "./machines.ts";

afterEach(closeMachines);

describe("messages", () => {
  it("reach others once, whatever matches, and neither the sender nor its siblings twice", async () => {
    const { here, there } = await pair();
    const far = await there.subscriber("a.*");
    for (const pattern of ["a.>", ">", "a.b"]) await far.client.subscribe(pattern, () => {});
    const own = await here.subscriber("a.*");
    const sibling = await here.subscriber(">");
    await own.client.publish("a.b", 1);
    await own.client.publish("a.b", new Uint8Array([2]));
    await until(() => far.got.length === 2);
    await turns();
    expect([far.got, own.got, sibling.got]).toEqual([[1, new Uint8Array([2])], [], [1, new Uint8Array([2])]]);
    expect(here.bridge.stats).toMatchObject({ state: "connected", peers: 1, sent: 2, received: 0, waiting: 0 });
    expect(there.bridge.stats).toMatchObject({ received: 2, peers: 1 });
  });

  it("are asked for only while somebody is subscribed", async () => {
    const { hub, there } = await pair();
    const patterns = () =>
      [...hub.connections].map((connection) =>
        [...connection.patterns]
          .toSorted()
          .join(" ")
          .replace(/[0-9a-f]{16}/, "id"),
      );
    const none = "app.$peers app.$requests app.$requests.id app.$retain.>";
    expect(patterns()).toEqual([none, none]);
    const { client } = await there.subscriber("a.*");
    const second = await (await there.subscriber("b")).client.subscribe("a.*", () => {});
    expect(patterns()[1]).toBe(`${none} app.a.* app.b`);
    await client.close();
    await turns();
    expect(patterns()[1]).toBe(`${none} app.a.* app.b`);
    await second.unsubscribe();
    await turns();
    expect(patterns()[1]).toBe(`${none} app.b`);
  });

  it("longer than the engine takes go in parts", async () => {
    const { hub, here, there } = await pair(10_000_000);
    hub.maxPayload = 1000;
    const { got } = await there.subscriber("a");
    const bytes = Uint8Array.from({ length: 5000 }, (_, n) => n % 251);
    await here.connect().publish("a", bytes);
    await here.connect().publish("a", "short");
    await until(() => got.length === 2);
    expect(got).toEqual([bytes, "short"]);
    expect(hub.log.filter((subject) => subject === "app.a")).toHaveLength(7);
  });

  it("of others on the same subjects are counted, said once and ignored", async () => {
    const { hub, there } = await pair();
    const { got } = await there.subscriber(">");
    for (const text of ["", "{}", "\u00c7", "x".repeat(100)])
      hub.deliver({ subject: "app.a", data: Buffer.from(text, "latin1") });
    hub.deliver({ subject: "app.$else", data: Buffer.from("{}") });
    await turns();
    expect(got).toEqual([]);
    expect(there.bridge.stats.malformed).toBe(5);
    expect(there.reports.filter(({ event }) => event === "engine-warning")).toHaveLength(1);
  });
});

describe("an outage", () => {
  it("holds up no local delivery, and what waits is sent when the others are back", async () => {
    const { hub, here, there } = await pair();
    const far = await there.subscriber("a");
    const near = await here.subscriber("a");
    const publisher = here.connect();
    hub.down();
    await turns();
    for (let n = 0; n < 5; n++) await publisher.publish("a", n);
    await until(() => near.got.length === 5);
    expect(here.bridge.stats).toMatchObject({ state: "connecting", waiting: 5, sent: 0 });
    hub.up = true;
    // Only this one has come back: the other would miss what it sent now.
    await here.pass(2500);
    expect(here.bridge.stats).toMatchObject({ state: "gathering", waiting: 5 });
    await there.pass(2500);
    await until(() => far.got.length === 5);
    expect(far.got).toEqual([0, 1, 2, 3, 4]);
    expect(here.reports.map(({ event }) => event)).toEqual([
      "engine-connected",
      "engine-unreachable",
      "engine-connected",
    ]);
    expect(here.bridge.stats).toMatchObject({ state: "connected", reconnects: 1, waiting: 0 });
  });

  it("waits for one that does not come back for a few seconds only", async () => {
    const { hub, here } = await pair();
    hub.down();
    await turns();
    await here.connect().publish("a", 1);
    await turns();
    hub.up = true;
    await here.pass(2500);
    expect(here.bridge.stats.state).toBe("gathering");
    await here.pass(5000);
    expect(here.bridge.stats).toMatchObject({ state: "connected", waiting: 0, peers: 0 });
  });

  it("between delivery and confirmation duplicates nothing", async () => {
    const { hub, here, there } = await pair();
    const { got } = await there.subscriber("a");
    hub.losesConfirmations = true;
    const publisher = here.connect();
    await publisher.publish("a", 1);
    await publisher.publish("a", 2);
    await until(() => got.length > 0);
    hub.losesConfirmations = false;
    await here.pass(2500);
    await publisher.publish("a", 3);
    await until(() => got.includes(3));
    // Sent twice, taken once.
    expect(hub.log.filter((subject) => subject === "app.a").length).toBeGreaterThan(3);
    expect(got).toEqual([1, 2, 3]);
  });

  it("costs the oldest messages beyond the buffer; they are counted and said once, then in all", async () => {
    const { hub, here, there } = await pair(3000);
    const { got } = await there.subscriber("a");
    hub.down();
    await turns();
    const publisher = here.connect();
    for (let n = 0; n < 100; n++) await publisher.publish("a", n);
    await turns();
    const kept = here.bridge.stats.waiting;
    expect(here.bridge.stats.waitingBytes).toBeLessThanOrEqual(3000);
    hub.up = true;
    await Promise.all([here.pass(3000), there.pass(3000)]);
    await until(() => got.length === kept);
    expect(got).toEqual(Array.from({ length: kept }, (_, n) => 100 - kept + n));
    const drops = here.reports.filter(({ event }) => event === "engine-dropped");
    expect(drops).toMatchObject([
      { dropped: 1, over: false },
      { dropped: 100 - kept, over: true },
    ]);
    expect(here.bridge.stats.dropped).toBe(100 - kept);
  });

  it("is found out when the engine takes nothing and says nothing", async () => {
    const { hub, here } = await pair();
    hub.stalled = true;
    await here.pass(20_000);
    expect(here.reports.filter(({ event }) => event === "engine-unreachable").length).toBeGreaterThan(0);
    hub.stalled = false;
    await here.pass(20_000);
    expect(here.bridge.stats.state).toBe("connected");
  });

  it("from the start on holds up no start", async () => {
    const hub = new FakeHub();
    hub.up = false;
    const machine = await Machine.start(hub);
    expect(machine.bridge.stats.state).toBe("connecting");
    expect(machine.reports).toEqual([
      { event: "engine-unreachable", engine: "nats", url: "nats://fake", error: "refused" },
    ]);
  });
});

describe("retained values", () => {
  it("are there for machines that join, newest first wins, and clears are taken over", async () => {
    const { hub, here, there } = await pair();
    await here.connect().publish("s.a", 1, { retain: true });
    await there.connect().publish("s.a", 2, { retain: true });
    await here.connect().publish("s.b", 3, { retain: true });
    await turns();
    await there.connect().clear("s.b");
    await turns();
    const late = await Machine.start(hub);
    for (const machine of [here, there, late]) expect((await machine.subscriber("s.>")).got).toEqual([2]);
  });

  it("are messages for those that are subscribed already, once, also when the store brings them", async () => {
    const hub = new FakeHub();
    hub.up = false;
    const here = await Machine.start(hub);
    const there = await Machine.start(hub);
    const { got } = await there.subscriber("s");
    await here.connect().publish("s", 1, { retain: true });
    await turns();
    hub.up = true;
    // The store has it before the other one connects, and the live message comes after that.
    await here.pass(1000);
    await there.pass(1000);
    await here.pass(6000);
    await until(() => got.length > 0);
    await turns();
    expect(got).toEqual([1]);
  });

  it("that two machines set at once end the same everywhere", async () => {
    const { hub, here, there } = await pair();
    hub.down();
    await turns();
    await here.connect().publish("s", "here", { retain: true });
    await there.connect().publish("s", "there", { retain: true });
    hub.up = true;
    await Promise.all([here.pass(8000), there.pass(8000)]);
    const ends = [
      await here.subscriber("s"),
      await there.subscriber("s"),
      await (await Machine.start(hub)).subscriber("s"),
    ];
    expect(new Set(ends.map(({ got }) => String(got)))).toHaveLength(1);
  });

  it("that the buffer lost are sent when there is room", async () => {
    const { hub, here, there } = await pair(1000);
    const { got } = await there.subscriber(">");
    hub.down();
    await turns();
    const publisher = here.connect();
    await publisher.publish("s", "kept", { retain: true });
    for (let n = 0; n < 50; n++) await publisher.publish("m", n);
    hub.up = true;
    // The other one is back first, so that it does not learn it from the store.
    await there.pass(3000);
    await here.pass(8000);
    await until(() => got.includes("kept"));
  });

  it("come back to an engine that has lost them", async () => {
    const { hub, here } = await pair();
    await here.connect().publish("s", 1, { retain: true });
    await turns();
    hub.down();
    hub.records.clear();
    hub.up = true;
    await here.pass(8000);
    expect([...hub.records.keys()]).toEqual(["s"]);
  });
});
