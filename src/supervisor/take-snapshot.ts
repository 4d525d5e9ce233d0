/** Makes the slots' part of a snapshot. Pure; used in the supervisor. */
import type { Clock } from "../clock.ts";
import type { Instance } from "./instance.ts";
import type { Measurements } from "./measurements.ts";
import type { Slot } from "./slot.ts";
import type { InstanceSnapshot, SlotSnapshot } from "./snapshot.ts";

/** Every slot with its live processes, those of retired slots last: they still drain. */
export function slotSnapshot(
  slots: readonly Slot[],
  live: readonly (readonly [Instance, Slot])[],
  context: SnapshotContext,
): SlotSnapshot[] {
  const all = new Set([...slots, ...live.map(([, slot]) => slot)]);
  return [...all].map((slot) => {
    const instances = live.filter(([, of]) => of === slot).map(([instance]) => instance);
    return {
      id: slot.id,
      restarts: Math.max(0, slot.restarts),
      traffic: context.measurements.trafficOf(instances.map(({ uid }) => uid)),
      instances: instances.map((instance) => instanceSnapshot(instance, context)),
      lastExit: slot.lastExit,
    };
  });
}

interface SnapshotContext {
  readonly clock: Clock;
  readonly measurements: Measurements;
}

function instanceSnapshot(instance: Instance, { clock, measurements }: SnapshotContext): InstanceSnapshot {
  return {
    uid: instance.uid,
    pid: instance.pid,
    generation: instance.generation,
    state: instance.state,
    uptimeMs: Math.round(clock.now() - instance.spawnedAt),
    statistics: instance.statistics,
    traffic: measurements.trafficOf([instance.uid]),
    heardMs: instance.heardAt === undefined ? null : Math.round(clock.now() - instance.heardAt),
  };
}
