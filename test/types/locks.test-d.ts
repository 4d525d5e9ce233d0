// Must compile: locks and requests as an app uses them.
import { expectTypeOf } from "vitest";
import { type Locks, locks, pubSub, type RemoteError } from "choir/instance";

interface Report {
  rows: number;
}

export async function useLocks(): Promise<void> {
  expectTypeOf(locks).toEqualTypeOf<Locks>();
  const rows = await locks.request("report", async (lock) => {
    expectTypeOf(lock.token).toBeNumber();
    expectTypeOf(lock.signal).toEqualTypeOf<AbortSignal>();
    return 7;
  });
  expectTypeOf(rows).toBeNumber();
  await locks.request("report", { mode: "shared", signal: AbortSignal.timeout(1000) }, (lock) => lock.name);
  await locks.request("report", { ifAvailable: true }, (lock) => {
    // @ts-expect-error null when it cannot be had
    return lock.name;
  });
  // @ts-expect-error no such mode
  await locks.request("report", { mode: "read" }, () => 1);
  const leadership = await locks.leader("cron", (signal) => {
    const timer = setInterval(() => {}, 1000);
    signal.addEventListener("abort", () => clearInterval(timer));
  });
  expectTypeOf(leadership.isLeader).toBeBoolean();
  await leadership.stop();
  expectTypeOf(await locks.runOnce("v2", async () => ({ rows: 1 }))).toEqualTypeOf<Report>();
  const { held } = await locks.query();
  expectTypeOf(held[0]!.clientId).toBeString();
}

export async function useRequests(): Promise<void> {
  await pubSub.respond<string>("report", async (name, { topic }) => ({ rows: name.length + topic.length }));
  const report = await pubSub.request<Report>("report", "may", { timeout: 1000 });
  expectTypeOf(report.rows).toBeNumber();
  const { answers, failed, silent } = await pubSub.requestAll<Report>("report", "may");
  expectTypeOf(answers[0]!.value).toEqualTypeOf<Report>();
  expectTypeOf(failed[0]!.error).toEqualTypeOf<RemoteError>();
  expectTypeOf(silent[0]!.id).toBeNumber();
}
