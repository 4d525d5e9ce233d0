// CPU quotas of fake control groups: version 2, version 1, both, and containers that see only a part.
import { describe, expect, it } from "vitest";
import { availableInstances, systemBacklog } from "../../../src/options/concurrency.ts";

function instances(cpus: number, files: Record<string, string>): number {
  return availableInstances({ availableParallelism: () => cpus, read: (file) => files[file] });
}

const V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n";

/** A version 2 system whose groups have the given cpu.max. */
function v2(group: string, quotas: Record<string, string>, mountinfo = V2): Record<string, string> {
  const files = Object.entries(quotas).map(([directory, quota]) => [`${directory}/cpu.max`, `${quota}\n`]);
  return {
    "/proc/self/cgroup": `0::${group}\n`,
    "/proc/self/mountinfo": `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${mountinfo}`,
    ...Object.fromEntries(files),
  };
}

/** A version 1 system whose groups have the given quota in periods of 100 ms. */
function v1(group: string, quotas: Record<string, string>, mountinfo = V1): Record<string, string> {
  const files = Object.entries(quotas).flatMap(([directory, quota]) => [
    [`${directory}/cpu.cfs_quota_us`, `${quota}\n`],
    [`${directory}/cpu.cfs_period_us`, "100000\n"],
  ]);
  return {
    "/proc/self/cgroup": `5:memory:/elsewhere\n4:cpuset:/cpuset\n3:cpu,cpuacct:${group}\n0::/\n`,
    "/proc/self/mountinfo": mountinfo,
    ...Object.fromEntries(files),
  };
}

describe("availableInstances", () => {
  it.each<[string, number, Record<string, string>]>([
    ["no control groups, as on macOS", 8, {}],
    ["no quota", 8, v2("/app", { "/sys/fs/cgroup/app": "max 100000" })],
    ["a quota of its own", 2, v2("/app", { "/sys/fs/cgroup/app": "200000 100000" })],
    ["a quota in another period", 3, v2("/app", { "/sys/fs/cgroup/app": "150000 50000" })],
    ["2.5 CPUs", 2, v2("/app", { "/sys/fs/cgroup/app": "250000 100000" })],
    ["half a CPU", 1, v2("/app", { "/sys/fs/cgroup/app": "50000 100000" })],
    ["more than there is", 8, v2("/app", { "/sys/fs/cgroup/app": "6400000 100000" })],
    ["a quota of the root of the mount", 4, v2("/", { "/sys/fs/cgroup": "400000 100000" })],
    [
      "a smaller quota further up",
      3,
      v2("/a/b/c", { "/sys/fs/cgroup/a": "300000 100000", "/sys/fs/cgroup/a/b/c": "500000 100000" }),
    ],
    ["no file between", 3, v2("/a/b/c", { "/sys/fs/cgroup/a": "300000 100000" })],
    ["a quota beside its own path", 8, v2("/app", { "/sys/fs/cgroup/apple": "100000 100000" })],
    ["nonsense", 8, v2("/app", { "/sys/fs/cgroup/app": "so to speak" })],
    [
      "a container that sees its group's name on the host",
      2,
      v2("/docker/abc", { "/sys/fs/cgroup": "200000 100000" }, V2.replace(" / ", " /docker/abc ")),
    ],
    ["a group outside its name space", 2, v2("/../other", { "/sys/fs/cgroup": "200000 100000" })],
    ["a host's name without its mount", 2, v2("/x", { "/sys/fs/cgroup": "200000 100000" }, V2.replace(" / ", " /y "))],
    ["version 1 without a quota", 8, v1("/app", { "/sys/fs/cgroup/cpu,cpuacct/app": "-1" })],
    ["version 1 with a quota", 2, v1("/app", { "/sys/fs/cgroup/cpu,cpuacct/app": "200000" })],
    [
      "version 1 with a smaller quota further up",
      2,
      v1("/a/b", { "/sys/fs/cgroup/cpu,cpuacct/a": "200000", "/sys/fs/cgroup/cpu,cpuacct/a/b": "300000" }),
    ],
    [
      "version 1 in a container",
      3,
      v1("/docker/abc", { "/sys/fs/cgroup/cpu,cpuacct": "300000" }, V1.replace(" / ", " /docker/abc ")),
    ],
    [
      "both, the limit in version 2",
      3,
      {
        ...v2("/app", { "/sys/fs/cgroup/unified/app": "300000 100000" }, V2.replace("cgroup rw", "cgroup/unified rw")),
        "/proc/self/cgroup": "4:memory:/other\n0::/app\n",
      },
    ],
    ["both, the limit in version 1", 2, v1("/app", { "/sys/fs/cgroup/cpu,cpuacct/app": "200000" }, `${V1}${V2}`)],
  ])("%s: %i", (_what, expected, files) => {
    expect(instances(8, files)).toBe(expected);
  });

  it("is what the system says where that is less", () => {
    expect(instances(1, v2("/app", { "/sys/fs/cgroup/app": "400000 100000" }))).toBe(1);
  });
});

it.each([
  ["4096\n", 4096],
  [undefined, 511],
  ["", 511],
  ["x\n", 511],
])("a backlog limit of %j is %i", (text, limit) => {
  expect(systemBacklog((file) => (file === "/proc/sys/net/core/somaxconn" ? text : undefined))).toBe(limit);
});
