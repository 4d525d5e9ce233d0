/** Who gets a lock, and when: the rules of lock-authority.ts, kept in memory. */
import { beforeEach, describe, expect, it } from "vitest";
import type { LockClaim } from "../../../src/messaging/lock-authority.ts";
import { LocalLocks } from "../../../src/messaging/local-locks.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

type Wish = Partial<Pick<LockClaim, "name" | "mode" | "ifAvailable" | "steal">>;

let clock: FakeClock;
let locks: LocalLocks;
let log: string[];

beforeEach(() => {
  clock = new FakeClock();
  locks = new LocalLocks({ clock });
  log = [];
});

/** Asks for a lock as an instance called `uid`; what becomes of it is in `log`. */
function ask(
  uid: string,
  { name = "a", mode = "exclusive", ifAvailable = false, steal = false }: Wish = {},
): LockClaim {
  const claim: LockClaim = {
    name,
    mode,
    ifAvailable,
    steal,
    owner: { id: 0, uid },
    granted: () => log.push(`${uid} granted`),
    unavailable: () => log.push(`${uid} unavailable`),
    refused: (error) => log.push(`${uid} refused ${error.code}`),
    lost: (error) => log.push(`${uid} lost ${error.code}`),
  };
  locks.request(claim);
  return claim;
}

describe("locks of one machine", () => {
  it("are exclusive, and pass in the order they were asked for", async () => {
    const one = ask("one");
    const two = ask("two");
    const three = ask("three");
    expect(log).toEqual(["one granted"]);
    await locks.release(one);
    await locks.release(two);
    await locks.release(three);
    expect(log).toEqual(["one granted", "two granted", "three granted"]);
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });

  it("are shared by those who share, and one who comes behind an exclusive one that waits does not overtake it", async () => {
    const one = ask("one", { mode: "shared" });
    const two = ask("two", { mode: "shared" });
    const writer = ask("writer");
    ask("three", { mode: "shared" });
    ask("four", { mode: "shared" });
    expect(log).toEqual(["one granted", "two granted"]);
    await locks.release(one);
    expect(log).toHaveLength(2);
    await locks.release(two);
    expect(log.slice(2)).toEqual(["writer granted"]);
    await locks.release(writer);
    expect(log.slice(3)).toEqual(["three granted", "four granted"]);
  });

  it("of different names have nothing to do with each other", () => {
    ask("one", { name: "a" });
    ask("two", { name: "b" });
    expect(log).toEqual(["one granted", "two granted"]);
  });

  it("are not waited for with ifAvailable, whether they are held or only waited for", async () => {
    const one = ask("one", { mode: "shared" });
    ask("two", { ifAvailable: true });
    ask("writer");
    ask("three", { mode: "shared", ifAvailable: true });
    expect(log).toEqual(["one granted", "two unavailable", "three unavailable"]);
    await locks.release(one);
    expect(log.slice(3)).toEqual(["writer granted"]);
  });

  it("are given up while they are waited for, which lets those behind go on", async () => {
    ask("one", { mode: "shared" });
    const writer = ask("writer");
    ask("two", { mode: "shared" });
    await locks.release(writer);
    expect(log).toEqual(["one granted", "two granted"]);
  });

  it("are stolen from all who hold them; their releases afterwards change nothing, and who waits goes on waiting", async () => {
    const one = ask("one", { mode: "shared" });
    const two = ask("two", { mode: "shared" });
    ask("waits");
    const thief = ask("thief", { steal: true });
    expect(log.slice(2)).toEqual(["thief granted", "one lost ERR_CHOIR_LOCK_STOLEN", "two lost ERR_CHOIR_LOCK_STOLEN"]);
    await locks.release(one);
    await locks.release(two);
    expect(log).toHaveLength(5);
    await locks.release(thief);
    expect(log.slice(5)).toEqual(["waits granted"]);
  });

  it("are shown with who holds and who waits for them", async () => {
    ask("one", { name: "b", mode: "shared" });
    ask("two", { name: "b" });
    expect(await locks.query()).toEqual({
      held: [{ name: "b", mode: "shared", owner: { id: 0, uid: "one" } }],
      pending: [{ name: "b", mode: "exclusive", owner: { id: 0, uid: "two" } }],
    });
  });

  it("have tokens that only grow, also from one supervisor to the next", async () => {
    const tokens: number[] = [];
    const take = async (from: LocalLocks): Promise<void> => {
      const claim = { ...ask("unused", { name: "unused" }), name: "a", granted: (token: number) => tokens.push(token) };
      from.request(claim);
      await from.release(claim);
    };
    await take(locks);
    await take(locks);
    clock.advance(1);
    await take(new LocalLocks({ clock }));
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).toBe(3);
    expect(tokens.every(Number.isSafeInteger)).toBe(true);
  });

  it("remember what belongs to a key, within a limit of bytes", async () => {
    locks = new LocalLocks({ clock, maxRememberedBytes: 10 });
    expect(await locks.recall("k")).toBeUndefined();
    await locks.remember("k", Buffer.from("12345"));
    await locks.remember("k", Buffer.from("123456789"));
    await expect(locks.remember("l", Buffer.from("1"))).rejects.toMatchObject({ code: "ERR_CHOIR_LOCK_LIMIT" });
    expect(await locks.recall("k")).toEqual(Buffer.from("123456789"));
  });
});
