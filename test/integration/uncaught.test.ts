// An uncaught error costs nobody else: who is being answered is answered, who comes is served, and --uncaught decides the rest.
import http from "node:http";
import { describe, expect, it } from "vitest";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

/** Sends a request that nobody answers, and waits only until its error is in the log. */
async function poison(runner: Running, url: string, form = "timer"): Promise<http.ClientRequest> {
  const request = http.get(`${url}/fault/${form}`, { agent: false });
  request.on("error", () => {});
  await runner.line((line) => JSON.stringify(line).includes(`fault ${form}`), "the error's line");
  return request;
}

describe("--uncaught replace", () => {
  it("20 slow requests in flight are all answered, and the replacement is ready before the old one stops accepting", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--shutdown-timeout", "9s"] });
    const url = await runner.ready(1);
    const { body: pid } = await ask(`${url}/pid`);
    const slow = Array.from({ length: 20 }, () => ask(`${url}/slow/1500`));
    // The slow ones have been accepted before this one.
    await poison(runner, url);
    let asked = 0;
    while (runner.events("instance-ready").length < 2) {
      // Somebody accepts all the time; until the new one is ready it can only be the old one.
      expect((await ask(`${url}/pid`)).body).toMatch(/^\d+$/);
      asked += 1;
    }
    expect(asked).toBeGreaterThan(0);
    const answers = await Promise.all(slow);
    expect(answers.map(({ status, body }) => ({ status, body }))).toEqual(
      Array.from({ length: 20 }, () => ({ status: 200, body: `slow ${pid}` })),
    );
    const exited = await runner.event("instance-exited");
    expect(exited).toMatchObject({ reason: "uncaught", code: 1, respawnMs: null });
    expect(runner.events("instance-killed")).toEqual([]);
    const order = runner.lines.map(({ event }) => event).filter((event) => event?.startsWith("instance-"));
    expect(order).toEqual(["instance-ready", "instance-leaving", "instance-ready", "instance-exited"]);
    expect((await ask(`${url}/pid`)).body).not.toBe(pid);
  });

  it("the request that failed does not hold the drain to its deadline, and gets a 500", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--shutdown-timeout", "6s"] });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/500`);
    const failed = ask(`${url}/fault/timer`);
    expect(await failed).toMatchObject({ status: 500 });
    expect((await slow).status).toBe(200);
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "uncaught", code: 1 });
    expect(runner.events("instance-killed")).toEqual([]);
    expect(runner.lines).toContainEqual(
      expect.objectContaining({ level: 40, requests: [expect.objectContaining({ path: "/fault/timer" })] }),
    );
  });

  it("a poison URL, 50 times a second for 5 s: nobody else fails, and there is no storm of processes", async () => {
    await using runner = startRunner("faulty.mjs", { instances: 2, args: ["--shutdown-timeout", "9s"] });
    const url = await runner.ready(2);
    const poisoned: http.ClientRequest[] = [];
    const timer = setInterval(() => {
      const request = http.get(`${url}/fault/timer`, { agent: false });
      request.on("error", () => {});
      poisoned.push(request);
    }, 20);
    const failures: unknown[] = [];
    let answered = 0;
    const others = async (agent: http.Agent | false): Promise<void> => {
      while (poisoned.length < 250) {
        await ask(`${url}/slow/5`, { agent }).then(
          ({ status }) => (status === 200 ? (answered += 1) : failures.push(status)),
          (error: unknown) => failures.push(error),
        );
      }
    };
    const agent = new http.Agent({ keepAlive: true });
    await Promise.all([others(false), others(false), others(agent), others(agent)]);
    clearInterval(timer);
    for (const request of poisoned) request.destroy();
    agent.destroy();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(200);
    const started = runner.events("instance-ready").length;
    expect(started).toBeGreaterThan(2);
    // At once, then after 250 ms, 500 ms, 1 s and 2 s: five for each slot, and one more by the jitter.
    expect(started).toBeLessThanOrEqual(2 + 2 * 6);
    // Some 250 errors, and no line for each.
    expect(runner.lines.filter((line) => JSON.stringify(line).includes("fault timer")).length).toBeLessThan(200);
  });

  it("with --no-respawn the instance drains, and the program ends with 1 when it was the last", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--no-respawn", "--shutdown-timeout", "6s"] });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/500`);
    const request = await poison(runner, url);
    expect((await slow).status).toBe(200);
    request.destroy();
    expect(await runner.exit()).toEqual({ code: 1, signal: null });
    expect(runner.events("instance-exited")).toMatchObject([{ reason: "uncaught", code: 1 }]);
  });

  it("a rejection that no request can be blamed for is an uncaught error as well", async () => {
    await using runner = startRunner("faulty.mjs");
    const url = await runner.ready(1);
    (await poison(runner, url, "rejection")).destroy();
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "uncaught", code: 1 });
  });
});

describe("the other ways", () => {
  it("--uncaught exit ends the instance at once", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--uncaught", "exit"] });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/20000`).catch((error: NodeJS.ErrnoException) => error.code);
    await poison(runner, url);
    expect(await slow).toBe("ECONNRESET");
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "crashed", code: 1 });
    await runner.eventCount("instance-ready", 2);
  });

  it("--uncaught exit answers the request first, with --use-zone", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--uncaught", "exit", "--use-zone"] });
    const url = await runner.ready(1);
    expect((await ask(`${url}/fault/timer`)).status).toBe(500);
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "crashed", code: 1 });
  });

  it("--uncaught keep only logs", async () => {
    await using runner = startRunner("faulty.mjs", { args: ["--uncaught", "keep", "--shutdown-timeout", "6s"] });
    const url = await runner.ready(1);
    const { body: pid } = await ask(`${url}/pid`);
    const request = await poison(runner, url);
    (await poison(runner, url, "nextTick")).destroy();
    expect((await ask(`${url}/pid`)).body).toBe(pid);
    expect(runner.events("instance-leaving")).toEqual([]);
    // What it left open does not hold the stop to its deadline either.
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    expect(runner.events("instance-killed")).toEqual([]);
    request.destroy();
  });

  it.each([[], ["--use-zone"]])("an app with handlers of its own has decided %s", async (...args) => {
    await using runner = startRunner("own-handlers.mjs", { args });
    const url = await runner.ready(1);
    await ask(`${url}/throw`);
    await ask(`${url}/reject`);
    let answer: { caught: string[]; pid: number } = { caught: [], pid: 0 };
    await until(async () => {
      answer = JSON.parse((await ask(`${url}/caught`)).body) as typeof answer;
      return answer.caught.length === 2;
    }, "both errors to be caught");
    expect(answer).toEqual({ caught: ["thrown", "rejected"], pid: runner.events("instance-ready")[0]!.pid });
    expect(runner.events("instance-leaving")).toEqual([]);
    expect(runner.lines.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
