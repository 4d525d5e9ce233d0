/** Locks, leaders and things done once, from client to client through the broker. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { FRAME, LOCK_FRAME } from "../../../src/messaging/frames.ts";
import { machineNow } from "../../../src/messaging/lease.ts";
import { LocalLocks } from "../../../src/messaging/local-locks.ts";
import type { LockAuthority, LockClaim } from "../../../src/messaging/lock-authority.ts";
import type { Leadership, Lock } from "../../../src/messaging/locks.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { Harness, control, isSettled, readFrames, request, turns, until, type Connection } from "./harness.ts";

let harness: Harness;
let one: Connection;
let two: Connection;
let three: Connection;

beforeEach(() => {
  harness = new Harness({ maxClaims: 5 });
  [one, two, three] = [harness.connect(), harness.connect(), harness.connect()];
});

interface Holding {
  readonly done: Promise<unknown>;
  readonly lock: () => Lock | undefined;
  release(value?: unknown): void;
}

/** Holds a lock until it is released. */
function hold({ client }: Connection, name = "a", options: Record<string, unknown> = {}): Holding {
  let lock: Lock | undefined;
  let release: (value?: unknown) => void = () => {};
  const released = new Promise((resolve) => (release = resolve));
  const done = client.locks.request(name, options, (granted) => {
    lock = granted;
    return released;
  });
  done.catch(() => {});
  return { done, lock: () => lock, release };
}

const holds = (holding: Holding) => until(() => holding.lock() !== undefined);

describe("locks.request", () => {
  it("runs the callback under the lock and gives its result; when it resolves the lock is free", async () => {
    const result = await one.client.locks.request("a", (lock) => {
      expect(lock).toMatchObject({ name: "a", mode: "exclusive" });
      expect(lock.token).toBeGreaterThan(0);
      return Promise.resolve(7);
    });
    expect(result).toBe(7);
    expect(await two.client.locks.request("a", { ifAvailable: true }, (lock) => lock?.name)).toBe("a");
    expect(harness.broker.stats.locks).toBe(0);
  });

  it("a callback that throws gives the lock back", async () => {
    const failed = one.client.locks.request("a", () => {
      throw new RangeError("no");
    });
    await expect(failed).rejects.toThrow(new RangeError("no"));
    expect(await two.client.locks.request("a", { ifAvailable: true }, (lock) => lock?.name)).toBe("a");
  });

  it("excludes others, in the order they asked; tokens grow", async () => {
    const first = hold(one);
    await holds(first);
    const second = hold(two);
    await turns();
    const third = hold(three);
    await turns();
    expect(second.lock()).toBeUndefined();
    first.release("result");
    expect(await first.done).toBe("result");
    await holds(second);
    expect(third.lock()).toBeUndefined();
    second.release();
    await holds(third);
    third.release();
    const tokens = [first, second, third].map((each) => each.lock()!.token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).toBe(3);
  });

  it("excludes within one instance too", async () => {
    const first = hold(one);
    await holds(first);
    const second = hold(one);
    await turns();
    expect(second.lock()).toBeUndefined();
    first.release();
    await holds(second);
    second.release();
  });

  it("shared ones are held together", async () => {
    const all = [one, two, three].map((each) => hold(each, "a", { mode: "shared" }));
    for (const each of all) await holds(each);
    expect(await one.client.locks.request("a", { ifAvailable: true }, (lock) => lock)).toBeNull();
    for (const each of all) each.release();
  });

  it("ifAvailable gives null instead of waiting", async () => {
    const held = hold(one);
    await holds(held);
    expect(await two.client.locks.request("a", { ifAvailable: true }, (lock) => lock)).toBeNull();
    held.release();
  });

  it("its signal ends the wait with its reason, and lets those behind pass", async () => {
    const held = hold(one);
    await holds(held);
    const controller = new AbortController();
    const waiting = hold(two, "a", { signal: controller.signal });
    await turns();
    const behind = hold(three);
    controller.abort("enough");
    await expect(waiting.done).rejects.toBe("enough");
    held.release();
    await holds(behind);
    expect(waiting.lock()).toBeUndefined();
    controller.abort();
    behind.release();
    await expect(one.client.locks.request("a", { signal: controller.signal }, () => 1)).rejects.toBe("enough");
  });

  it("its signal has no effect once the lock is held", async () => {
    const controller = new AbortController();
    const held = hold(one, "a", { signal: controller.signal });
    await holds(held);
    controller.abort();
    held.release("done");
    expect(await held.done).toBe("done");
  });

  it("steal takes it: the holder's promise rejects with an AbortError and its lock's signal aborts", async () => {
    const held = hold(one);
    await holds(held);
    const { signal } = held.lock()!;
    expect(signal.aborted).toBe(false);
    expect(await two.client.locks.request("a", { steal: true }, (lock) => lock?.name)).toBe("a");
    await expect(held.done).rejects.toMatchObject({ name: "AbortError", cause: { code: "ERR_CHOIR_LOCK_STOLEN" } });
    expect(signal.aborted).toBe(true);
    expect(harness.broker.stats.locks).toBe(0);
  });

  it("passes on when its holder's pipe breaks, and tells the holder", async () => {
    const held = hold(one);
    await holds(held);
    const waiting = hold(two);
    await turns();
    one.theirs.destroy();
    one.ours.destroy();
    await holds(waiting);
    await expect(held.done).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_LOST" });
    expect(held.lock()!.signal.aborted).toBe(true);
    expect(waiting.lock()!.token).toBeGreaterThan(held.lock()!.token);
    waiting.release();
    await expect(one.client.locks.request("a", () => 1)).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("who waits when the pipe breaks is told", async () => {
    const held = hold(one);
    await holds(held);
    const waiting = hold(two);
    await turns();
    two.theirs.destroy();
    await expect(waiting.done).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
    held.release();
  });

  it("query shows who holds and who waits", async () => {
    const held = hold(one, "a", { mode: "shared" });
    await holds(held);
    const waiting = hold(two, "a");
    await turns();
    expect(await three.client.locks.query()).toEqual({
      held: [{ name: "a", mode: "shared", clientId: "uid-0", instance: 0, scope: "app" }],
      pending: [{ name: "a", mode: "exclusive", clientId: "uid-1", instance: 1, scope: "app" }],
    });
    held.release();
    await holds(waiting);
    waiting.release();
    await waiting.done;
    expect(await three.client.locks.query()).toEqual({ held: [], pending: [] });
  });

  it("an instance has a limit of them", async () => {
    const held = Array.from({ length: 5 }, (_, n) => hold(one, `lock-${n}`));
    for (const each of held) await holds(each);
    await expect(one.client.locks.request("more", () => 1)).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_LIMIT" });
    for (const each of held) each.release();
    await Promise.all(held.map((each) => each.done));
    expect(await one.client.locks.request("more", () => 1)).toBe(1);
  });

  it.each<[string, unknown[], RegExp]>([
    ["an empty name", ["", () => 1], /1 to 255 bytes/],
    ["a long name", ["é".repeat(128), () => 1], /has 256/],
    ["a reserved name", ["-a", () => 1], /begins with "-"/],
    ["no name", [7, () => 1], /must be a string, got 7/],
    ["no callback", ["a"], /takes a callback/],
    ["no callback after options", ["a", { mode: "shared" }], /takes a callback/],
    ["an unknown mode", ["a", { mode: "read" }, () => 1], /mode of lock "a" must be .* got "read"/],
    ["an unknown scope", ["a", { scope: "world" }, () => 1], /scope of "a" must be/],
    ["steal with ifAvailable", ["a", { steal: true, ifAvailable: true }, () => 1], /steal of lock "a"/],
    [
      "ifAvailable with a signal",
      ["a", { ifAvailable: true, signal: new AbortController().signal }, () => 1],
      /ifAvailable/,
    ],
  ])("%s is refused", async (_, args, message) => {
    const locks = one.client.locks as unknown as { request(...args: unknown[]): Promise<unknown> };
    await expect(locks.request(...args)).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK" });
    await expect(locks.request(...args)).rejects.toThrow(message);
  });
});

describe("locks.leader", () => {
  interface Led {
    readonly log: string[];
    readonly signals: AbortSignal[];
    readonly stand: (connection: Connection, name: string) => Promise<Leadership>;
  }

  function election(): Led {
    const log: string[] = [];
    const signals: AbortSignal[] = [];
    return {
      log,
      signals,
      stand: ({ client }, who) =>
        client.locks.leader("cron", async (signal, lock) => {
          expect(lock.token).toBeGreaterThan(0);
          log.push(`${who} leads`);
          signals.push(signal);
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          log.push(`${who} ends`);
        }),
    };
  }

  it("runs in one instance, and in the next one when that is gone", async () => {
    const { log, stand } = election();
    const first = await stand(one, "one");
    const second = await stand(two, "two");
    await turns();
    expect(log).toEqual(["one leads"]);
    expect([first.isLeader, second.isLeader]).toEqual([true, false]);
    one.ours.destroy();
    one.theirs.destroy();
    await until(() => log.includes("two leads"));
    expect(second.isLeader).toBe(true);
  });

  it("stops when it is told to: others lead only when its callback has come to its end", async () => {
    const { log, stand } = election();
    let finish: () => void = () => {};
    const first = await one.client.locks.leader("cron", () => new Promise<void>((resolve) => (finish = resolve)));
    await stand(two, "two");
    const stopped = first.stop();
    expect(await isSettled(stopped)).toBe(false);
    expect(log).toEqual([]);
    finish();
    await stopped;
    await until(() => log.includes("two leads"));
  });

  it("leads on after a callback that returns, until it retires", async () => {
    const signals: AbortSignal[] = [];
    await one.client.locks.leader("cron", (signal) => signals.push(signal));
    await two.client.locks.leader("cron", (signal) => signals.push(signal));
    await turns();
    expect(signals).toHaveLength(1);
    await one.client.retire();
    expect(signals[0]!.aborted).toBe(true);
    await until(() => signals.length === 2);
  });

  it("a callback that throws is logged and lets another instance lead", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { log, stand } = election();
      let tries = 0;
      await one.client.locks.leader("cron", () => {
        tries++;
        throw new Error("cannot lead");
      });
      await until(() => one.reported.length === 1);
      expect(one.reported).toMatchObject([{ error: { message: "cannot lead" }, topic: "cron" }]);
      await stand(two, "two");
      await until(() => log.includes("two leads"));
      await vi.advanceTimersByTimeAsync(5000);
      expect(tries).toBe(1);
      await two.client.retire();
      await until(() => tries === 2);
      await one.client.retire();
    } finally {
      vi.useRealTimers();
    }
  });

  it("what throws because its signal aborted is not logged", async () => {
    const leadership = await one.client.locks.leader("cron", async (signal) => {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    });
    await turns();
    await leadership.stop();
    expect(one.reported).toEqual([]);
  });

  it("leads again when its lock was lost and its callback has ended", async () => {
    const { log, stand } = election();
    await stand(one, "one");
    await until(() => log.length === 1);
    const thief = harness.connectPipe();
    readFrames(thief);
    thief.theirs.write(request(LOCK_FRAME.lock, 1, Buffer.from("\x04-leader:cron")));
    await until(() => log.includes("one ends"));
    thief.theirs.destroy();
    thief.ours.destroy();
    await until(() => log.length === 3);
    expect(log).toEqual(["one leads", "one ends", "one leads"]);
  });

  it("ends with the signal that it was given", async () => {
    const controller = new AbortController();
    const leadership = await one.client.locks.leader("cron", () => {}, { signal: controller.signal });
    await until(() => leadership.isLeader);
    controller.abort();
    await leadership.stop();
    expect(harness.broker.stats.locks).toBe(0);
    await expect(one.client.locks.leader("cron", () => {}, { signal: controller.signal })).rejects.toThrow(/abort/);
  });

  it("that is refused later on says so once, and leads when it is no longer refused", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const locks = new LocalLocks({ clock: new FakeClock() });
      let held: LockClaim | undefined;
      let refusals = 0;
      const request = (claim: LockClaim): void => {
        if (held === undefined) held = claim;
        else if (refusals++ === 0) claim.refused(new ChoirError("ERR_CHOIR_LOCK_ENGINE", "no JetStream"));
        else locks.request(claim);
      };
      const others = { query: () => locks.query(), recall: (key: string) => locks.recall(key) };
      const remember = (key: string, bytes: Uint8Array) => locks.remember(key, bytes);
      harness = new Harness({ locks: { ...others, remember, request, release: (claim) => locks.release(claim) } });
      const connection = harness.connect();
      const leadership = await connection.client.locks.leader("cron", () => {});
      held?.refused(new ChoirError("ERR_CHOIR_LOCK_ENGINE", "no JetStream"));
      for (let n = 0; n < 2; n++) {
        await turns();
        expect(leadership.isLeader).toBe(false);
        vi.advanceTimersByTime(5000);
      }
      await until(() => leadership.isLeader);
      expect(connection.reported).toMatchObject([{ topic: "cron", error: { code: "ERR_CHOIR_LOCK_ENGINE" } }]);
      await leadership.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it("is refused where the authority refuses", async () => {
    const message = "A lock between machines needs NATS";
    harness = new Harness({ locks: refusing(message) });
    const { client } = harness.connect();
    await expect(client.locks.leader("cron", () => {})).rejects.toMatchObject({ message, hint: "advice" });
    await expect(client.locks.request("a", () => 1)).rejects.toMatchObject({ message });
    await expect(client.locks.runOnce("a", () => 1)).rejects.toMatchObject({ message });
    await expect(client.locks.query()).rejects.toMatchObject({ message });
    expect(await client.locks.request("a", { scope: "machine" }, () => 1)).toBe(1);
    expect(harness.broker.stats.locks).toBe(0);
  });
});

describe("locks.runOnce", () => {
  it.each([
    ["has no text", Object.create(null)],
    ["is longer than what is kept", new Error("\u0000".repeat(100_000))],
  ])("is free again when what was thrown %s", async (_, thrown: unknown) => {
    await expect(one.client.locks.runOnce("v1", () => Promise.reject(thrown))).rejects.toBe(thrown);
    expect(await two.client.locks.runOnce("v1", () => "again")).toBe("again");
    expect(one.broken).toEqual([]);
  });

  it("runs in one instance, and all get its result, as JSON has it", async () => {
    let runs = 0;
    const run = (): Promise<unknown> => {
      runs++;
      return Promise.resolve({ at: new Date(0), gone: undefined });
    };
    const all = await Promise.all([one, two, three, one].map(({ client }) => client.locks.runOnce("v1", run)));
    expect(runs).toBe(1);
    expect(all).toEqual(Array.from({ length: 4 }, () => ({ at: "1970-01-01T00:00:00.000Z" })));
    expect(await two.client.locks.runOnce("v1", run)).toEqual(all[0]);
    expect(runs).toBe(1);
    await two.client.locks.runOnce("v2", run);
    expect(runs).toBe(2);
    expect(harness.broker.stats.locks).toBe(0);
  });

  it.each([[undefined], [null], [0], [new Uint8Array([1, 2])]])("gives %j to all", async (value) => {
    const all = await Promise.all([one, two].map(({ client }) => client.locks.runOnce("k", () => value)));
    expect(all).toEqual([value, value]);
    expect(await three.client.locks.runOnce("k", () => "again")).toEqual(value);
  });

  it("those who wait while it fails get its error; who calls later runs it anew", async () => {
    let runs = 0;
    let fail: () => void = () => {};
    const run = (): Promise<unknown> => {
      runs++;
      return new Promise((_, reject) => {
        fail = () => reject(Object.assign(new TypeError("no table"), { code: "42P01" }));
      });
    };
    const first = one.client.locks.runOnce("v1", run);
    await until(() => runs === 1);
    const others = [two, three].map(({ client }) => client.locks.runOnce("v1", run));
    await turns();
    fail();
    for (const each of [first, ...others]) {
      await expect(each).rejects.toMatchObject({ name: "TypeError", message: "no table", code: "42P01" });
    }
    expect(runs).toBe(1);
    expect(await three.client.locks.runOnce("v1", () => "done")).toBe("done");
    expect(await one.client.locks.runOnce("v1", run)).toBe("done");
  });

  it("one who waits runs it when the instance that ran it is gone", async () => {
    let runs = 0;
    void one.client.locks
      .runOnce("v1", () => {
        runs++;
        return new Promise(() => {});
      })
      .catch(() => {});
    await until(() => runs === 1);
    const waiting = two.client.locks.runOnce("v1", () => "second");
    await turns();
    one.ours.destroy();
    expect(await waiting).toBe("second");
    expect(await three.client.locks.runOnce("v1", () => "third")).toBe("second");
  });

  it("its signal ends the wait for the others", async () => {
    void one.client.locks.runOnce("v1", () => new Promise(() => {})).catch(() => {});
    await turns();
    const controller = new AbortController();
    const waiting = two.client.locks.runOnce("v1", () => 1, { signal: controller.signal });
    await turns();
    controller.abort("enough");
    await expect(waiting).rejects.toBe("enough");
  });

  it("a result that is too large is an error, and nothing is kept", async () => {
    const large = one.client.locks.runOnce("v1", () => "x".repeat(70_000));
    await expect(large).rejects.toMatchObject({ code: "ERR_CHOIR_VALUE" });
    await expect(large).rejects.toThrow(/runOnce\("v1"\) is 70002 bytes/);
    expect(await two.client.locks.runOnce("v1", () => "small")).toBe("small");
  });

  it("a result that cannot be kept is told to who ran it", async () => {
    const authority = granting();
    harness = new Harness({
      locks: { ...authority, remember: () => Promise.reject(new ChoirError("ERR_CHOIR_LOCK_LIMIT", "full")) },
    });
    const { client } = harness.connect();
    await expect(client.locks.runOnce("v1", () => 1)).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_LIMIT" });
    expect(harness.broker.stats.locks).toBe(0);
  });
});

describe("hostile frames of locks", () => {
  const bytes = (type: number, ...tail: (string | number[])[]): Buffer =>
    request(type, 1, Buffer.concat(tail.map((part) => Buffer.from(part as string))));

  it.each([
    ["a lock without a name", bytes(LOCK_FRAME.lock, [0])],
    ["a lock without anything", bytes(LOCK_FRAME.lock)],
    ["a name that is too long", bytes(LOCK_FRAME.lock, [0], "x".repeat(300))],
    ["a name that is no UTF-8", bytes(LOCK_FRAME.lock, [0, 0xff, 0xfe])],
    ["unknown flags", bytes(LOCK_FRAME.lock, [64], "a")],
    ["flags that exclude each other", bytes(LOCK_FRAME.lock, [5], "a")],
    ["an exclusive key", bytes(LOCK_FRAME.once, [1], "a")],
    ["an outcome without flags", bytes(LOCK_FRAME.onceDone)],
    ["an outcome that is too large", bytes(LOCK_FRAME.onceDone, [0], "x".repeat(70_000))],
    ["a frame that only the broker sends", bytes(LOCK_FRAME.granted, "12345678")],
    ["an id that is in use", Buffer.concat([bytes(LOCK_FRAME.lock, [0], "a"), bytes(LOCK_FRAME.lock, [0], "b")])],
  ])("%s ends the pipe with one error, and frees what it held", async (_, frame) => {
    const hostile = harness.connectPipe();
    hostile.theirs.write(frame);
    await until(() => hostile.peer.closed);
    expect(hostile.broken).toHaveLength(1);
    expect(hostile.broken[0]).toMatchObject({ code: "ERR_CHOIR_FRAME" });
    expect(await one.client.locks.request("a", { ifAvailable: true }, (lock) => lock?.name)).toBe("a");
  });

  it("giving back or finishing what is not held is answered or ignored", async () => {
    const odd = harness.connectPipe();
    const frames = readFrames(odd);
    const held = hold(one);
    await holds(held);
    odd.theirs.write(Buffer.concat([control(LOCK_FRAME.unlock, 1), request(LOCK_FRAME.onceDone, 2, Buffer.from([0]))]));
    odd.theirs.write(control(FRAME.flush, 3));
    await until(() => frames.length === 2);
    expect(frames.map(({ type }) => type)).toEqual([LOCK_FRAME.unlocked, FRAME.ack]);
    expect(odd.broken).toEqual([]);
    expect(await two.client.locks.request("a", { ifAvailable: true }, (lock) => lock)).toBeNull();
    held.release();
  });
});

/** An authority that grants everything. */
function granting(): LockAuthority {
  return {
    request: (claim: LockClaim) => claim.granted(1),
    release: () => Promise.resolve(),
    query: () => Promise.resolve({ held: [], pending: [] }),
    recall: () => Promise.resolve(undefined),
    remember: () => Promise.resolve(),
  };
}

function refusing(message: string): LockAuthority {
  const error = new ChoirError("ERR_CHOIR_OPTION", message, { hint: "advice" });
  return {
    ...granting(),
    request: (claim: LockClaim) => claim.refused(error),
    recall: () => Promise.reject(error),
    query: () => Promise.reject(error),
  };
}

describe("a lease", () => {
  /** Locks that hold until `end`, a time of the machine. */
  function leased() {
    const locks = new LocalLocks({ clock: new FakeClock() });
    let end = 0;
    let onProlonged = (): void => {};
    const authority: LockAuthority = {
      get leaseEnd() {
        return end;
      },
      onProlonged: (listener) => void (onProlonged = listener),
      request: (claim) => locks.request(claim),
      release: (claim) => locks.release(claim),
      query: () => locks.query(),
      recall: (key) => locks.recall(key),
      remember: (key, bytes) => locks.remember(key, bytes),
    };
    const prolong = (ms: number): void => {
      end = machineNow() + ms;
      onProlonged();
    };
    return { authority, prolong };
  }

  it("that is not prolonged ends in the instance, whatever its supervisor does, and the lock is given back", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
    try {
      const { authority, prolong } = leased();
      harness = new Harness({ locks: authority });
      [one, two] = [harness.connect(), harness.connect()];
      prolong(8000);
      const [app, machine, waiting] = [hold(one), hold(one, "b", { scope: "machine" }), hold(two)];
      await holds(app);
      await holds(machine);
      vi.advanceTimersByTime(7000);
      prolong(8000);
      await turns();
      vi.advanceTimersByTime(7999);
      await turns();
      expect(app.lock()?.signal.aborted).toBe(false);
      vi.advanceTimersByTime(1);
      await expect(app.done).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_LOST" });
      expect(app.lock()?.signal.aborted).toBe(true);
      await holds(waiting);
      expect(machine.lock()?.signal.aborted).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it("that was prolonged while the instance was busy does not end", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
    try {
      const { authority, prolong } = leased();
      harness = new Harness({ locks: authority });
      one = harness.connect();
      prolong(8000);
      const holding = hold(one);
      await holds(holding);
      // The timer comes first, and behind it what the supervisor had written long ago.
      vi.advanceTimersByTime(9000);
      prolong(8000);
      await turns();
      expect(holding.lock()?.signal.aborted).toBe(false);
      holding.release("done");
      expect(await holding.done).toBe("done");
    } finally {
      vi.useRealTimers();
    }
  });
});
