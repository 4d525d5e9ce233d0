/** Makes the slots' part of a snapshot. Pure; used in the supervisor. */
import type { Clock } from "../clock.ts";
import type { Instance } from "./instance.ts";
import type { Slot } from "./slot.ts";
import type { InstanceSnapshot, SlotSnapshot } from "./snapshot.ts";

/** Every slot with its live processes, those of retired slots last: they still drain. */
export function slotSnapshot(
  slots: readonly Slot[],
  live: readonly (readonly [Instance, Slot])[],
  clock: Clock,
): SlotSnapshot[] {
  const all = new Set([...slots, ...live.map(([, slot]) => slot)]);
  return [...all].map((slot) => ({
    id: slot.id,
    restarts: Math.max(0, slot.restarts),
    instances: live.filter(([, of]) => of === slot).map(([instance]) => instanceSnapshot(instance, clock)),
    lastExit: slot.lastExit,
  }));
}

function instanceSnapshot(instance: Instance, clock: Clock): InstanceSnapshot {
  return {
    uid: instance.uid,
    pid: instance.pid,
    generation: instance.generation,
    state: instance.state,
    uptimeMs: Math.round(clock.now() - instance.spawnedAt),
    statistics: instance.statistics,
  };
}
