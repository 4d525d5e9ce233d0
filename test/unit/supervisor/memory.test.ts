// The kernel's counts and limits, from fake files of both versions of control groups, and the state of a thread.
import { describe, expect, it } from "vitest";
import { countOomKills, memoryLimit } from "../../../src/supervisor/memory.ts";
import { sampleThread } from "../../../src/supervisor/thread-state.ts";

function reading(files: Record<string, string>) {
  return (file: string): string | undefined => files[file];
}

const V2 = "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
const V1 = "32 31 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";
const EVENTS = "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 1\n";

describe("countOomKills", () => {
  it.each<[string, Record<string, string>, number | undefined]>([
    ["no control groups, as on macOS", {}, undefined],
    [
      "version 2",
      {
        "/proc/self/cgroup": "0::/app\n",
        "/proc/self/mountinfo": V2,
        "/sys/fs/cgroup/app/memory.events": EVENTS,
      },
      3,
    ],
    [
      "version 2 without the memory controller",
      { "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": V2 },
      undefined,
    ],
    [
      "version 1",
      {
        "/proc/self/cgroup": "4:memory:/app\n0::/\n",
        "/proc/self/mountinfo": `${V2}${V1}`,
        "/sys/fs/cgroup/memory/app/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n",
      },
      7,
    ],
  ])("%s", (_, files, expected) => {
    expect(countOomKills(reading(files))).toBe(expected);
  });
});

describe("memoryLimit", () => {
  it("is bytes, or a share of what there is", () => {
    expect(memoryLimit(undefined)).toBeUndefined();
    expect(memoryLimit(5e8, 1e9)).toBe(5e8);
    expect(memoryLimit("25%", 1e9)).toBe(2.5e8);
    const all = memoryLimit("100%") ?? 0;
    expect(all).toBeGreaterThan(1e6);
    expect(all).toBeLessThanOrEqual(2 ** 50);
  });
});

describe("sampleThread", () => {
  const stat = (name: string, letter: string): string =>
    `42 (${name}) ${letter} 1 42 42 0 -1 4194304 1000 0 0 0 250 50 0 0 20 0 11 0 100 1000 1000`;

  it.each([
    ["R", "running"],
    ["S", "sleeping"],
    ["D", "waiting"],
    ["T", "stopped"],
    ["t", "stopped"],
    ["Z", "unknown"],
  ])("reads %s as %s, with the CPU time", (letter, state) => {
    const read = reading({ "/proc/42/task/42/stat": stat("node", letter) });
    expect(sampleThread(42, read)).toEqual({ state, cpuMs: 3000 });
  });

  it("is not confused by a program's name", () => {
    const read = reading({ "/proc/42/task/42/stat": stat("no) R (de", "S") });
    expect(sampleThread(42, read)).toEqual({ state: "sleeping", cpuMs: 3000 });
  });

  it("knows nothing of a process that is gone", () => {
    expect(sampleThread(42, reading({}))).toBeUndefined();
  });
});
