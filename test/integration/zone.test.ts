// --use-zone: whatever goes wrong behind a request is that request's alone, and its log lines carry its id.
import http from "node:http";
import { describe, expect, it } from "vitest";
import { ask, type LogLine, startRunner } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

const FRAMEWORKS = ["fastify", "plain", "express", "fetch"] as const;
const ZONE = ["--use-zone"];

function start(framework: string, options: { args?: readonly string[]; instances?: number } = {}) {
  const { args = [], instances = 1 } = options;
  return startRunner("faulty.mjs", { args: [...ZONE, ...args], instances, env: { FRAMEWORK: framework } });
}

function linesOf(lines: readonly LogLine[], fault: string): LogLine[] {
  return lines.filter((line) => JSON.stringify(line).includes(fault));
}

describe.each(FRAMEWORKS)("an error nobody caught, in %s", (framework) => {
  it.each(["timer", "nextTick", "emitter"])("%s: 500 at once, logged once with the id, replaced", async (form) => {
    await using runner = start(framework);
    const url = await runner.ready(1);
    const answer = await ask(`${url}/fault/${form}?secret=1`);
    expect(answer).toMatchObject({ status: 500, body: "Internal Server Error" });
    await runner.event("instance-exited", { reason: "uncaught", code: 1 });
    await runner.eventCount("instance-ready", 2);
    const lines = linesOf(runner.lines, `fault ${form}`);
    expect(lines).toMatchObject([
      {
        level: 60,
        requestId: answer.headers["x-request-id"],
        req: { method: "GET", path: `/fault/${form}` },
        err: { message: `fault ${form}`, stack: expect.stringContaining("faulty.mjs") },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("a rejected promise is contained: 500, and the instance lives on", async () => {
    await using runner = start(framework);
    const url = await runner.ready(1);
    const { body: pid } = await ask(`${url}/pid`);
    for (let round = 0; round < 3; round += 1) {
      const answer = await ask(`${url}/fault/rejection`);
      expect(answer.status).toBe(500);
      await runner.line((line) => line["requestId"] === answer.headers["x-request-id"], "the error's line");
    }
    expect((await ask(`${url}/pid`)).body).toBe(pid);
    expect(linesOf(runner.lines, "fault rejection")).toHaveLength(3);
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    expect(runner.events("instance-leaving")).toEqual([]);
  });

  it("a handler that answers after all is no second error", async () => {
    await using runner = start(framework);
    const url = await runner.ready(1);
    const { body: pid } = await ask(`${url}/pid`);
    expect((await ask(`${url}/fault-and-answer/rejection`)).status).toBe(500);
    // Longer than the handler takes to stumble.
    await ask(`${url}/slow/100`);
    expect((await ask(`${url}/pid`)).body).toBe(pid);
    expect(runner.events("instance-leaving")).toEqual([]);
    expect(linesOf(runner.lines, "fault rejection")).toHaveLength(1);
  });

  it("ids are unique, survive awaits, and are in the lines of the log", async () => {
    await using runner = start(framework);
    const url = await runner.ready(1);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const names = Array.from({ length: 40 }, (_, n) => `n${n}`);
    const answers = await Promise.all(names.map((name) => ask(`${url}/log/${name}`, { agent })));
    agent.destroy();
    expect(new Set(answers.map(({ body }) => body)).size).toBe(40);
    for (const [n, { body }] of answers.entries()) {
      const line = await runner.line(({ msg }) => msg === `line of n${n}`, "a line");
      expect(line["requestId"]).toBe(body);
    }
    const current = JSON.parse((await ask(`${url}/current/x?y=1`)).body) as Record<string, unknown>;
    expect(current).toEqual({
      id: expect.stringMatching(/^[\w-]{3,40}$/),
      method: "GET",
      path: "/current/x",
      startedAt: expect.any(Number),
    });
    expect(Math.abs(Date.now() - Number(current["startedAt"]))).toBeLessThan(60_000);
  });
});

describe("the zone", () => {
  it("a throw in the listener itself is traced too", async () => {
    await using runner = start("plain");
    const url = await runner.ready(1);
    const answer = await ask(`${url}/sync`);
    expect(answer.status).toBe(500);
    const line = await runner.line((line) => line.level === 60, "the error's line");
    expect(line).toMatchObject({ requestId: answer.headers["x-request-id"], err: { message: "fault sync" } });
  });

  it("an answer that has begun is cut off", async () => {
    await using runner = start("plain");
    const url = await runner.ready(1);
    await expect(ask(`${url}/half`)).rejects.toMatchObject({ code: "ECONNRESET" });
    await runner.event("instance-exited", { reason: "uncaught", code: 1 });
    expect(linesOf(runner.lines, "fault half")).toHaveLength(1);
  });

  it.each(["plain", "express", "fastify"])("holds for a body that comes later, in %s", async (framework) => {
    await using runner = start(framework);
    const url = await runner.ready(1);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const seen: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const ids = JSON.parse(await postLate(`${url}/body`, agent)) as string[] | Record<string, unknown>;
      if (Array.isArray(ids)) expect(ids).toEqual([expect.any(String)]);
      else expect(ids).toEqual({ id: ids["current"], current: expect.any(String), size: 6 });
      seen.push(JSON.stringify(ids));
    }
    agent.destroy();
    // The second request of a connection has its own.
    expect(seen[0]).not.toBe(seen[1]);
  });

  it("Fastify's request.id and request.log have the same id", async () => {
    await using runner = start("fastify");
    const url = await runner.ready(1);
    const { id, current } = JSON.parse((await ask(`${url}/id`)).body) as Record<string, string>;
    expect(id).toBe(current);
    const { body } = await ask(`${url}/request-log`);
    const line = await runner.line(({ msg }) => msg === "line of request.log", "the line");
    expect(line["requestId"]).toBe(body);
    expect(line).not.toHaveProperty("reqId");
  });

  it("x-request-id is taken only when it is trusted, and only if it is harmless", async () => {
    const given = { headers: { "x-request-id": "proxy-1.2_3" } };
    await using careful = start("plain");
    const first = await careful.ready(1);
    expect((await ask(`${first}/log/a`, given)).body).not.toContain("proxy");
    await using trusting = start("plain", { args: ["--trust-request-id"] });
    const url = await trusting.ready(1);
    expect((await ask(`${url}/log/a`, given)).body).toBe("proxy-1.2_3");
    expect((await trusting.line(({ msg }) => msg === "line of a", "the line"))["requestId"]).toBe("proxy-1.2_3");
    for (const bad of ['x","level":60,"msg":"forged', "a b", "x".repeat(129), "\u001b[31m", "é"]) {
      const { body } = await ask(`${url}/log/b`, {
        headers: { "x-request-id": Buffer.from(bad).toString("latin1") },
      }).catch(() => ({ body: "refused by the client" }));
      expect(body).toMatch(/^[0-9a-f]{12}-\w+$|^refused by the client$/);
    }
  });

  it("without --use-zone there is no current request, and none in the supervisor", async () => {
    await using runner = startRunner("faulty.mjs");
    const url = await runner.ready(1);
    expect((await ask(`${url}/log/a`)).body).toBe("no id");
  });
});

/** Sends a body when the server has seen the head: so it comes in packets of its own. */
function postLate(url: string, agent: http.Agent): Promise<string> {
  return within(
    new Promise((resolve, reject) => {
      const headers = { Expect: "100-continue", "content-type": "text/plain", "content-length": "6" };
      const request = http.request(url, { method: "POST", agent, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve(body));
      });
      request.on("error", reject);
      request.on("continue", () => request.end("abcdef"));
    }),
    "an answer",
  );
}
