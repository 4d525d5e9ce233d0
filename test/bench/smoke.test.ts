/** Runs every row of the benchmarks for a second with Choir alone, so that they cannot rot. Its figures are not looked at. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";

const BENCH = fileURLToPath(new URL("../../dist/bench/main.js", import.meta.url));
const RESULT = fileURLToPath(new URL("../../bench/results/last-run.json", import.meta.url));
/** Without bench/node_modules, and on the Node.js that runs the tests. */
const ALONE = ["--no-install", "--node", process.execPath, "--peers", "choir", "--rounds", "1", "--seconds", "1"];

let temp = "";
afterEach(() => expect(readdirSync(temp), "what the benchmarks left in their temporary folder").toEqual([]));

interface Report {
  readonly missing: Readonly<Record<string, string>>;
  readonly rows: readonly {
    readonly name: string;
    readonly failed: Readonly<Record<string, string>>;
    readonly metrics: readonly { readonly name: string; readonly of: Record<string, { readonly median: number }> }[];
  }[];
}

function start(args: readonly string[]): { child: ReturnType<typeof spawn>; output: () => string } {
  temp = mkdtempSync(path.join(tmpdir(), "choir-test-"));
  const child = spawn(process.execPath, [BENCH, ...ALONE, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temp },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return { child, output: () => text };
}

/** Processes whose environment names the temporary folder: the benchmarks give it to all that they start. */
function leftRunning(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return pid !== String(process.pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TMPDIR=${temp}`);
    } catch {
      return false;
    }
  });
}

it("measures every row", async () => {
  const { child, output } = start([]);
  const [code] = (await once(child, "close")) as [number];
  expect(code, output()).toBe(0);
  const { missing, rows } = JSON.parse(readFileSync(RESULT, "utf8")) as Report;
  for (const { name, metrics } of rows) {
    for (const metric of metrics) {
      const shown = Object.values(metric.of).map(({ median }) => median);
      expect(shown.length > 0 && shown.every(Number.isFinite), `${name}, ${metric.name}: ${shown.join(" ")}`).toBe(
        true,
      );
    }
  }
  expect(leftRunning()).toEqual([]);
  const unmeasured = Object.entries(missing).map(([row, reason]) => `NOT MEASURED: ${row}: ${reason}`);
  if (unmeasured.length > 0) console.warn(unmeasured.join("\n"));
  if (process.env["CHOIR_TEST_SKIPS"] === "fail") expect(unmeasured).toEqual([]);
});

it("leaves nothing behind when it is interrupted", async () => {
  const { child, output } = start(["--only", "start,memory-2"]);
  const closed = once(child, "close");
  await expect.poll(() => leftRunning().length, { timeout: 30_000 }).toBeGreaterThan(2);
  child.kill("SIGINT");
  expect(await closed, output()).toEqual([130, null]);
  expect(leftRunning()).toEqual([]);
});

it("names what it knows when it is asked for something else", async () => {
  const { child, output } = start(["--only", "keep-alife"]);
  expect(await once(child, "close")).toEqual([1, null]);
  expect(output()).toMatch(/There is no row "keep-alife": there are start, .*keep-alive,/);
});
