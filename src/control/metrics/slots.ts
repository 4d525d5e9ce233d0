/** What instances last said of themselves, as metrics by slot. Runs in the supervisor; pure. */
import type { InstanceSnapshot, SlotSnapshot } from "../../supervisor/snapshot.ts";
import { family, type Family, one, type Sample } from "./family.ts";
import type { MetricSources } from "./sources.ts";

/** What was heard of an instance is stale after so long, in milliseconds: five heartbeats. */
const STALE_MS = 5000;

type Statistics = NonNullable<InstanceSnapshot["statistics"]>;

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly of: (statistics: Statistics) => number;
  readonly combine: (values: readonly number[]) => number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const highest = (values: readonly number[]): number => Math.max(...values);

/** What instances last said of themselves. Of several in one slot, while one replaces another: their sum, or the worst. */
const GAUGES: readonly Gauge[] = [
  {
    name: "choir_http_requests_in_flight",
    help: "Requests that are being answered",
    of: (s) => s.inFlight,
    combine: sum,
  },
  { name: "choir_http_connections_open", help: "Connections that are open", of: (s) => s.connections, combine: sum },
  {
    name: "choir_event_loop_delay_mean_seconds",
    help: "Mean delay of the event loop since the last heartbeat",
    of: (s) => s.loopDelayMean / 1000,
    combine: highest,
  },
  {
    name: "choir_event_loop_delay_max_seconds",
    help: "Longest delay of the event loop since the last heartbeat",
    of: (s) => s.loopDelayMax / 1000,
    combine: highest,
  },
  {
    name: "choir_event_loop_utilization_ratio",
    help: "Share of the time in which the event loop was busy",
    of: (s) => s.utilization,
    combine: highest,
  },
  { name: "choir_process_resident_memory_bytes", help: "Resident memory", of: (s) => s.rss, combine: sum },
  { name: "choir_heap_used_bytes", help: "JavaScript heap in use", of: (s) => s.heapUsed, combine: sum },
  { name: "choir_heap_limit_bytes", help: "What the JavaScript heap may have", of: (s) => s.heapLimit, combine: sum },
  {
    name: "choir_heap_fill_ratio",
    help: "How full the old generation of the heap is; V8 ends the process at 1",
    of: (s) => s.heapFill,
    combine: highest,
  },
];

/** Metrics of what each slot is doing now. */
export function slotFamilies({ snapshot, silent }: MetricSources): Family[] {
  const { slots } = snapshot;
  const perSlot = (value: (slot: SlotSnapshot) => number): Sample[] =>
    slots.map((slot) => one(value(slot), { instance: String(slot.id) }));
  const isReady = ({ instances }: SlotSnapshot): boolean => instances.some(({ state }) => state === "ready");
  const isStale = ({ id, instances }: SlotSnapshot): boolean =>
    silent.has(id) || instances.some(({ heardMs }) => heardMs !== null && heardMs > STALE_MS);
  return [
    family(
      "gauge",
      "choir_instance_ready",
      "Whether an instance of the slot takes requests",
      perSlot((slot) => Number(isReady(slot))),
    ),
    family(
      "gauge",
      "choir_instance_stale",
      "1 when the instance does not answer, and what is said of it is what it said last",
      perSlot((slot) => Number(isStale(slot))),
    ),
    family(
      "gauge",
      "choir_instance_uptime_seconds",
      "Age of the slot's oldest process",
      slots.flatMap(({ id, instances }) =>
        instances.length === 0
          ? []
          : [one(highest(instances.map(({ uptimeMs }) => uptimeMs)) / 1000, { instance: String(id) })],
      ),
    ),
    ...GAUGES.map((gauge) => gaugeFamily(gauge, slots)),
  ];
}

function gaugeFamily({ name, help, of, combine }: Gauge, slots: readonly SlotSnapshot[]): Family {
  const samples = slots.flatMap(({ id, instances }) => {
    const values = instances.flatMap(({ statistics }) => (statistics === null ? [] : [of(statistics)]));
    return values.length === 0 ? [] : [one(combine(values), { instance: String(id) })];
  });
  return family("gauge", name, help, samples);
}
