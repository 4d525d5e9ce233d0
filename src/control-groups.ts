/** Finds the control groups (cgroups(7), both versions) that hold for this process. A leaf, used in the supervisor only. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** Reads a whole file as text; undefined when there is none. */
export type ReadText = (file: string) => string | undefined;

/** A group that limits this process in something. */
export interface ControlGroup {
  readonly version: 1 | 2;
  /** Where the root of its hierarchy is mounted. */
  readonly mount: string;
  /** The directory with its files. */
  readonly directory: string;
}

/** Finds this process's own group in every hierarchy that has the controller: none on macOS, two on systems between versions. */
export function controlGroups(controller: string, read: ReadText = readText): ControlGroup[] {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n");
  const mounts = (read("/proc/self/mountinfo") ?? "").split("\n");
  return mounts.flatMap((line) => groupOfMount(line, { groups, controller }) ?? []);
}

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Reads a line of /proc/self/mountinfo (proc(5)); undefined when it mounts no control groups of that kind. */
function groupOfMount(
  mountLine: string,
  { groups, controller }: { groups: readonly string[]; controller: string },
): ControlGroup | undefined {
  const [before = "", after = ""] = mountLine.split(" - ");
  const [, , , root = "", mount = ""] = before.split(" ");
  const [type, , controllers = ""] = after.split(" ");
  if (type === "cgroup2") {
    const own = groups.find((line) => line.startsWith("0::"));
    return own === undefined ? undefined : { version: 2, mount, directory: locate(own, { root, mount }) };
  }
  if (type !== "cgroup" || !controllers.split(",").includes(controller)) return undefined;
  const own = groups.find((line) => line.split(":")[1]?.split(",").includes(controller));
  return own === undefined ? undefined : { version: 1, mount, directory: locate(own, { root, mount }) };
}

/** Where the group of a line of /proc/self/cgroup is in the file system. */
function locate(groupLine: string, { root, mount }: { root: string; mount: string }): string {
  const group = groupLine.split(":").slice(2).join(":");
  const below = path.posix.relative(root, group);
  // A container may see its group's name on the host, which is not below what is mounted in it: that is its group then.
  return below === ".." || below.startsWith("../") ? mount : path.posix.join(mount, below);
}
