// Both sides of a question, joined by what would be the IPC channel.
import { beforeEach, describe, expect, it } from "vitest";
import { type Answerer, answerQuestions } from "../../../src/instance/questions.ts";
import type { ToInstance } from "../../../src/protocol.ts";
import { collect, Inquiries, NoAnswer } from "../../../src/supervisor/inquiries.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

const QUESTION = { about: "app-metrics" } as const;

let clock: FakeClock;
let inquiries: Inquiries;
let sent: ToInstance[];
let isBlocked: boolean;

/** Joins both; `answer` is what the instance does. */
function join(answer: Answerer): void {
  let hear: (message: unknown) => void = () => {};
  inquiries = new Inquiries((message) => {
    sent.push(message);
    if (!isBlocked) hear(structuredClone(message));
  }, clock);
  answerQuestions({
    answer,
    send: (part) => inquiries.hear(structuredClone(part)),
    listen: (listener) => {
      hear = listener;
    },
  });
}

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  isBlocked = false;
});

describe("an answer", () => {
  it("arrives whole, in parts that are asked for one by one", async () => {
    const long = "x".repeat(600 * 1024);
    join(() => chunks("a", "", long));
    const answer = await collect(inquiries.ask(QUESTION, 1000), 1e6);
    expect(answer.toString()).toBe(`a${long}`);
    expect(sent.map(({ choir }) => choir)).toEqual(["ask", "more", "more", "more", "more"]);
    expect([inquiries.open, clock.timers]).toEqual([0, 0]);
  });

  it("may be empty", async () => {
    join(() => chunks());
    expect(await collect(inquiries.ask(QUESTION, 1000), 10)).toHaveLength(0);
  });

  it("of several questions at a time is told apart", async () => {
    let n = 0;
    join(() => chunks("a", String((n += 1)), "z"));
    const answers = await Promise.all([1, 2, 3].map(() => collect(inquiries.ask(QUESTION, 1000), 100)));
    expect(answers.map(String).toSorted()).toEqual(["a1z", "a2z", "a3z"]);
  });

  it("that fails says why", async () => {
    join(async function* answer() {
      yield Buffer.from("a");
      throw new TypeError("no such thing");
    });
    await expect(collect(inquiries.ask(QUESTION, 1000), 100)).rejects.toThrow("no such thing");
    join(() => Promise.reject(new Error("not known")));
    await expect(collect(inquiries.ask(QUESTION, 1000), 100)).rejects.toThrow("not known");
  });

  it("that is too long is given up, and the instance told so", async () => {
    let made = 0;
    join(async function* answer() {
      for (; made < 100; made += 1) yield Buffer.from("xxxxxxxxxx");
    });
    await expect(collect(inquiries.ask(QUESTION, 1000), 25)).rejects.toThrow("over 25 bytes");
    expect(sent.at(-1)).toMatchObject({ choir: "enough" });
    expect(made).toBeLessThan(4);
  });
});

describe("no answer", () => {
  it("is what a blocked instance gives, for which nobody waits longer", async () => {
    join(() => chunks("late"));
    isBlocked = true;
    const answer = collect(inquiries.ask(QUESTION, 1000), 100);
    answer.catch(() => {});
    await Promise.resolve();
    clock.advance(1000);
    await expect(answer).rejects.toThrow(NoAnswer);
    // What comes when nobody waits any more is nobody's.
    inquiries.hear({ choir: "answer", id: 1, part: "eA==", last: true });
    expect(inquiries.open).toBe(0);
  });

  it("is what one gives that has ended, before and after", async () => {
    join(() => chunks("x"));
    isBlocked = true;
    const answer = collect(inquiries.ask(QUESTION, 1000), 100);
    answer.catch(() => {});
    await Promise.resolve();
    inquiries.end();
    await expect(answer).rejects.toThrow("has ended");
    await expect(collect(inquiries.ask(QUESTION, 1000), 100)).rejects.toThrow("has ended");
    expect(clock.timers).toBe(0);
  });

  it("is given at once when too many are open", async () => {
    join(() => chunks("x"));
    isBlocked = true;
    const open = Array.from({ length: 17 }, () => collect(inquiries.ask(QUESTION, 1000), 100));
    for (const each of open) each.catch(() => {});
    await expect(open[16]).rejects.toThrow("has not answered what it was asked before");
  });
});

it("what is no answer is not heard", () => {
  join(() => chunks());
  for (const nonsense of [null, 1, {}, { id: 1 }, { id: "1", last: true }, { id: 1, last: true, part: 5 }])
    inquiries.hear(nonsense);
  inquiries.hear({ id: 99, last: true });
});
