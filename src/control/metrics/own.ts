/** Choir's own metrics. Runs in the supervisor; pure. docs/operations.md says what to look at when. */
import { countUpTo } from "../../histogram.ts";
import { GC_KINDS, PROTOCOLS, responseIndex, STATUS_CLASSES } from "../../measured.ts";
import type { SlotTotals } from "../../supervisor/measurements.ts";
import { family, type Family, one, type Sample } from "./family.ts";
import { slotFamilies } from "./slots.ts";
import type { MetricSources } from "./sources.ts";

/** Bounds of the histogram's buckets in milliseconds: some of src/histogram.ts's. */
const BOUNDS_MS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000];

/** All of them, in the order in which they are served. */
export function ownFamilies(sources: MetricSources): Family[] {
  return [
    ...appFamilies(sources),
    ...requestFamilies(sources),
    ...slotFamilies(sources),
    ...processFamilies(sources),
    ...lifeFamilies(sources),
    ...logFamilies(sources),
    ...messageFamilies(sources),
  ];
}

function appFamilies({ snapshot, queues }: MetricSources): Family[] {
  const { name, version, generation, instances, ready, startedAt } = snapshot;
  return [
    family("gauge", "choir_info", "The app's name and Choir's version", [one(1, { name, version })]),
    family("gauge", "choir_start_time_seconds", "When the supervisor started, in seconds since the epoch", [
      one(Date.parse(startedAt) / 1000),
    ]),
    family("gauge", "choir_generation", "The generation, raised by one with each rolling restart", [one(generation)]),
    family("gauge", "choir_instances_wanted", "How many instances are wanted", [one(instances)]),
    family("gauge", "choir_instances_ready", "How many instances are ready", [one(ready)]),
    family(
      "gauge",
      "choir_listen_queue_length",
      "Connections that wait to be accepted on a listening socket",
      queues.map(({ address, length }) => one(length, { address })),
    ),
  ];
}

function requestFamilies({ totals }: MetricSources): Family[] {
  const perSlot = (value: (totals: SlotTotals) => number): Sample[] =>
    [...totals].map(([slot, of]) => one(value(of), { instance: String(slot) }));
  return [
    family(
      "counter",
      "choir_http_requests",
      "Requests answered, by status class and protocol; aborted are those whose answer did not reach its end",
      [...totals].flatMap(([slot, { responses }]) => responseSamples(String(slot), responses)),
    ),
    family(
      "histogram",
      "choir_http_request_duration_seconds",
      "Time from a request's head to the end of its answer",
      [...totals].flatMap(([slot, of]) => durationSamples({ instance: String(slot) }, of)),
    ),
    family(
      "counter",
      "choir_http_connections_accepted",
      "Connections accepted",
      perSlot(({ connections }) => connections),
    ),
    family(
      "counter",
      "choir_http_connections_refused",
      "Connections ended for what a client sent as HTTP, or did not send in time",
      perSlot(({ refused }) => refused),
    ),
    family(
      "counter",
      "choir_tls_handshakes_failed",
      "TLS handshakes that failed",
      perSlot(({ failedHandshakes }) => failedHandshakes),
    ),
  ];
}

/** Every status class of HTTP/1.1, so that each is there before it is needed, and of the others what there was. */
function responseSamples(instance: string, responses: Float64Array): Sample[] {
  return PROTOCOLS.flatMap((protocol, p) =>
    STATUS_CLASSES.flatMap((status, s) => {
      const value = responses[responseIndex(p, s)] ?? 0;
      return value === 0 && protocol !== "1.1" ? [] : [one(value, { instance, protocol, status })];
    }),
  );
}

function durationSamples(labels: Sample["labels"], { durations, durationSum }: SlotTotals): Sample[] {
  const count = durations.reduce((sum, each) => sum + each, 0);
  const bucket = (le: string, value: number): Sample => ({ suffix: "_bucket", labels: { ...labels, le }, value });
  return [
    ...BOUNDS_MS.map((ms) => bucket(String(ms / 1000), countUpTo(durations, ms))),
    bucket("+Inf", count),
    { suffix: "_sum", labels, value: durationSum / 1000 },
    { suffix: "_count", labels, value: count },
  ];
}

function processFamilies({ totals, supervisor }: MetricSources): Family[] {
  const perKind = (name: string, help: string, of: (totals: SlotTotals) => ArrayLike<number>): Family =>
    family(
      "counter",
      name,
      help,
      [...totals].flatMap(([slot, each]) =>
        GC_KINDS.map((kind, index) => one(of(each)[index] ?? 0, { instance: String(slot), kind })),
      ),
    );
  const cpu = (instance: string, user: number, system: number): Sample[] => [
    one(user / 1000, { instance, mode: "user" }),
    one(system / 1000, { instance, mode: "system" }),
  ];
  return [
    family(
      "counter",
      "choir_process_cpu_seconds",
      "CPU time used",
      [...totals].flatMap(([slot, { cpuUser, cpuSystem }]) => cpu(String(slot), cpuUser, cpuSystem)),
    ),
    perKind("choir_gc_runs", "Garbage collections", ({ gc }) => gc),
    perKind("choir_gc_duration_seconds", "Time that garbage collections took", ({ gcMs }) =>
      gcMs.map((ms) => ms / 1000),
    ),
    family("counter", "choir_supervisor_cpu_seconds", "CPU time that the supervisor used", [
      one(supervisor.cpuUser / 1000, { mode: "user" }),
      one(supervisor.cpuSystem / 1000, { mode: "system" }),
    ]),
    family("gauge", "choir_supervisor_resident_memory_bytes", "Resident memory of the supervisor", [
      one(supervisor.rss),
    ]),
  ];
}

function lifeFamilies({ events }: MetricSources): Family[] {
  const by = (label: string, counts: ReadonlyMap<string, number>): Sample[] =>
    [...counts].map(([name, count]) => one(count, { [label]: name }));
  return [
    family("counter", "choir_instance_exits", "Instances that ended, by reason", by("reason", events.exits)),
    family(
      "counter",
      "choir_instance_respawns",
      "Slots filled anew after their instance ended, by the reason why it did",
      by("reason", events.respawns),
    ),
    family("counter", "choir_restarts", "Rolling restarts, by outcome", by("outcome", events.restarts)),
  ];
}

function logFamilies({ snapshot: { logs } }: MetricSources): Family[] {
  if (logs === null) return [];
  const by = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
    Object.entries(counts).map(([name, count]) => one(count, { [label]: name }));
  return [
    family(
      "counter",
      "choir_log_lines",
      "Lines logged, by level; an error with its stack is one, and what is below --log-level does not count",
      by("level", logs.lines),
    ),
    family("counter", "choir_log_lines_cut", "Log lines that were longer than they may be", [one(logs.cut)]),
    family("counter", "choir_log_lines_lost", "Log lines that could not be written, by sink", by("sink", logs.lost)),
    family("counter", "choir_log_written_bytes", "Bytes of logs written, by sink", by("sink", logs.writtenBytes)),
  ];
}

function messageFamilies({ messages, events }: MetricSources): Family[] {
  return [
    family("counter", "choir_pubsub_messages_published", "Messages that instances published", [
      one(messages.published),
    ]),
    family("counter", "choir_pubsub_messages_delivered", "Messages handed to subscribers, one for each", [
      one(messages.delivered),
    ]),
    family("counter", "choir_pubsub_messages_dropped", "Messages that slow subscribers lost", [
      one(events.messagesDropped),
    ]),
    family("counter", "choir_pubsub_bytes_dropped", "Bytes of messages that slow subscribers lost", [
      one(events.bytesDropped),
    ]),
    family("gauge", "choir_pubsub_subscriptions", "Pairs of an instance and a pattern it subscribed to", [
      one(messages.subscriptions),
    ]),
    family("gauge", "choir_pubsub_retained_values", "Values retained", [one(messages.retained)]),
    family("gauge", "choir_pubsub_retained_bytes", "Bytes of values retained", [one(messages.retainedBytes)]),
  ];
}
