// What of a control group's memory each instance's heap may have, from fake files of both versions.
import { describe, expect, it } from "vitest";
import type { ChoirEvent } from "../../../src/events.ts";
import { groupMemoryLimit, heapShare, heapShares, isHeapGiven } from "../../../src/supervisor/heap-share.ts";
import { memoryLimit } from "../../../src/supervisor/memory.ts";

const GIB = 2 ** 30;
const V2 = "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
const V1 = "32 31 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";

function reading(files: Record<string, string>) {
  return (file: string): string | undefined => files[file];
}

describe("groupMemoryLimit", () => {
  it.each<[string, Record<string, string>, number | undefined]>([
    ["no control groups, as on macOS", {}, undefined],
    [
      "version 2",
      { "/proc/self/cgroup": "0::/app\n", "/proc/self/mountinfo": V2, "/sys/fs/cgroup/app/memory.max": "536870912\n" },
      GIB / 2,
    ],
    [
      "version 2, limited further up",
      {
        "/proc/self/cgroup": "0::/pod/app\n",
        "/proc/self/mountinfo": V2,
        "/sys/fs/cgroup/pod/app/memory.max": "max\n",
        "/sys/fs/cgroup/pod/memory.max": `${GIB}\n`,
      },
      GIB,
    ],
    [
      "version 2 without a limit",
      { "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": V2, "/sys/fs/cgroup/memory.max": "max\n" },
      undefined,
    ],
    [
      "version 1",
      {
        "/proc/self/cgroup": "4:memory:/app\n",
        "/proc/self/mountinfo": V1,
        "/sys/fs/cgroup/memory/app/memory.limit_in_bytes": "268435456\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      },
      GIB / 4,
    ],
    [
      "version 1 without a limit",
      {
        "/proc/self/cgroup": "4:memory:/\n",
        "/proc/self/mountinfo": V1,
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      },
      undefined,
    ],
    [
      "version 2 seen from inside of a container",
      {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": "900 899 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup ro\n",
        "/sys/fs/cgroup/memory.max": "536870912\n",
      },
      GIB / 2,
    ],
  ])("%s", (_, files, expected) => {
    expect(groupMemoryLimit(reading(files))).toBe(expected);
    // --max-memory in percent is a share of the same.
    if (expected !== undefined) expect(memoryLimit("25%", expected)).toBe(expected / 4);
  });
});

describe("heapShare", () => {
  it.each([
    [512 * 2 ** 20, 1, 1, 224],
    [GIB, 4, 1, 160],
    [GIB, 4, 4, 120],
    [8 * GIB, 2, 1, 2438],
    [128 * 2 ** 20, 4, 1, 64],
  ])("of %i bytes, with %i instances and %i newcomers, is %i MiB", (limit, instances, surge, expected) => {
    expect(heapShare({ limit, instances, surge })).toBe(expected);
    if (expected > 64) expect((instances + surge / 2) * expected * 2 ** 20).toBeLessThan(limit * 0.8);
  });
});

describe("heapShares", () => {
  it("follow the number of instances, and say so when it changes", () => {
    const events: ChoirEvent[] = [];
    const heapOf = heapShares({ limit: GIB, maxSurge: "1" }, (event) => events.push(event));
    expect([heapOf(1), heapOf(1), heapOf(4), heapOf(4)]).toEqual([480, 480, 160, 160]);
    expect(events).toEqual([
      { event: "heap-shared", heapMiB: 480, limitBytes: GIB, isNew: false },
      { event: "heap-shared", heapMiB: 160, limitBytes: GIB, isNew: true },
    ]);
  });

  it("are none without a limit", () => {
    expect(heapShares({ limit: undefined, maxSurge: "1" }, () => {})(2)).toBeUndefined();
  });
});

describe("isHeapGiven", () => {
  it.each<[string[], string | undefined, boolean]>([
    [[], undefined, false],
    [["--max-old-space-size=300"], undefined, true],
    [["--max_old_space_size", "300"], undefined, true],
    [[], "--enable-source-maps --max-old-space-size=300", true],
    [[], "--max-old-space-size-percentage=50", true],
    [["--max-heap-size=1"], undefined, true],
    [["--max-semi-space-size=64"], "--max-http-header-size=9", false],
  ])("%j with NODE_OPTIONS %j: %s", (execArgv, nodeOptions, expected) => {
    expect(isHeapGiven(execArgv, nodeOptions)).toBe(expected);
  });
});
