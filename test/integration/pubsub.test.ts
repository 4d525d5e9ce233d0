/** Messages between real processes: to all but the sender, retained for those who come later, and broken pipes. */
import { describe, expect, it } from "vitest";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

interface Seen {
  readonly uid: string;
  readonly id: number;
  readonly seen: readonly { value: unknown; retained: boolean }[];
}

/** Asks until each of `count` instances has answered, by uid; the latest answer of each counts. */
async function askEach(
  url: string,
  count: number,
  enough: (all: Map<string, Seen>) => boolean,
): Promise<Map<string, Seen>> {
  const all = new Map<string, Seen>();
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(`${url}/seen`)));
    for (const answer of answers) {
      const seen = JSON.parse(answer.body) as Seen;
      all.set(seen.uid, seen);
    }
    return all.size >= count && enough(all);
  }, `answers of ${count} instances`);
  return all;
}

async function start(instances: number): Promise<{ runner: Running; url: string }> {
  const runner = startRunner("pubsub.mjs", { instances });
  return { runner, url: await runner.ready(instances) };
}

describe("pub/sub", () => {
  it("reaches each of the other instances and not the sender; a respawned one has the retained value", async () => {
    const { runner, url } = await start(4);
    await using _ = runner;
    const { uid: publisher } = JSON.parse((await ask(`${url}/publish/hello?retain=1`)).body) as { uid: string };
    const all = await askEach(
      url,
      4,
      (found) => [...found.values()].filter((seen) => seen.seen.length > 0).length >= 3,
    );
    expect(all.size).toBe(4);
    for (const [uid, { seen }] of all) {
      expect(seen, uid).toEqual(uid === publisher ? [] : [{ value: "hello", retained: false }]);
    }
    await ask(`${url}/exit`);
    const exited = await runner.event("instance-exited");
    await runner.eventCount("instance-ready", 5);
    const after = await askEach(url, 4, (found) => [...found.keys()].some((uid) => !all.has(uid)));
    const replacement = [...after.values()].find((seen) => !all.has(seen.uid))!;
    expect(replacement).toMatchObject({ id: exited.instance, seen: [{ value: "hello", retained: true }] });
  });

  it("keeps the order of one publisher", async () => {
    const { runner, url } = await start(2);
    await using _ = runner;
    const agent = new (await import("node:http")).Agent({ keepAlive: true, maxSockets: 1 });
    const sent = Array.from({ length: 50 }, (_, n) => String(n));
    let publisher = "";
    for (const value of sent)
      publisher = (JSON.parse((await ask(`${url}/publish/${value}`, { agent })).body) as { uid: string }).uid;
    agent.destroy();
    const all = await askEach(url, 2, (found) => [...found.values()].some((seen) => seen.seen.length === 50));
    for (const [uid, { seen }] of all) {
      expect(seen.map((message) => message.value)).toEqual(uid === publisher ? [] : sent);
    }
  });

  it.each([
    ["a..b", "one", "ERR_CHOIR_TOPIC", "a..b"],
    ["a.*", "one", "ERR_CHOIR_TOPIC", "a.*"],
    ["ok", "function", "ERR_CHOIR_VALUE", "deep[0]"],
  ])("refuses topic %s with value %s at publish", async (topic, value, code, text) => {
    const { runner, url } = await start(1);
    await using _ = runner;
    const refused = JSON.parse(
      (await ask(`${url}/refused/${encodeURIComponent(topic)}?value=${value}`)).body,
    ) as Record<string, string>;
    expect(refused["code"]).toBe(code);
    expect(refused["message"]).toContain(text);
  });

  it("garbage on the pipe ends that instance with one error, and it is replaced", async () => {
    await using runner = startRunner("broken-frames.mjs", { instances: 2 });
    const url = await runner.ready(2);
    expect((await ask(`${url}/garbage`)).body).toBe("written");
    const broken = await runner.event("pubsub-broken");
    await runner.event("instance-exited", { instance: broken.instance, reason: "broken-pipe" });
    await runner.eventCount("instance-ready", 3);
    expect(runner.events("pubsub-broken")).toHaveLength(1);
    expect((await ask(url)).body).toBe("alive");
  });
});
