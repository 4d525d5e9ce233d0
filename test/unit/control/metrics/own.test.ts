import { describe, expect, it } from "vitest";
import { EventCounts } from "../../../../src/control/metrics/event-counts.ts";
import { PROMETHEUS_TEXT } from "../../../../src/control/metrics/family.ts";
import { ownFamilies } from "../../../../src/control/metrics/own.ts";
import { bucketOf } from "../../../../src/histogram.ts";
import { SlotTotals } from "../../../../src/supervisor/measurements.ts";
import { answers } from "../../../helpers/measured.ts";
import { SNAPSHOT } from "../../../helpers/snapshots.ts";

function text({ silent = [] as number[], events = new EventCounts(), snapshot = SNAPSHOT } = {}): string {
  const totals = new SlotTotals();
  totals.add(answers(3, { bucket: bucketOf(2), durationSum: 6, cpuUser: 1500, gc: [1, 4], gcMs: [1, 20] }));
  totals.add(answers(1, { bucket: bucketOf(90_000), durationSum: 90_000, statusClass: 5 }));
  return PROMETHEUS_TEXT.render(
    ownFamilies({
      snapshot,
      totals: new Map([[0, totals]]),
      events,
      messages: { published: 5, delivered: 10, subscriptions: 2, retained: 1, retainedBytes: 100 },
      queues: [{ address: "127.0.0.1:3000", length: 7 }],
      supervisor: { cpuUser: 100, cpuSystem: 50, rss: 5e7 },
      silent: new Set(silent),
    }),
  );
}

describe("ownFamilies", () => {
  it("says what was counted", () => {
    const lines = text().split("\n");
    for (const line of [
      'choir_http_requests_total{instance="0",protocol="1.1",status="2xx"} 3',
      'choir_http_requests_total{instance="0",protocol="1.1",status="5xx"} 1',
      'choir_http_requests_total{instance="0",protocol="1.1",status="4xx"} 0',
      'choir_http_request_duration_seconds_bucket{instance="0",le="0.001"} 0',
      'choir_http_request_duration_seconds_bucket{instance="0",le="0.0025"} 3',
      'choir_http_request_duration_seconds_bucket{instance="0",le="50"} 3',
      'choir_http_request_duration_seconds_bucket{instance="0",le="+Inf"} 4',
      'choir_http_request_duration_seconds_sum{instance="0"} 90.006',
      'choir_http_request_duration_seconds_count{instance="0"} 4',
      'choir_listen_queue_length{address="127.0.0.1:3000"} 7',
      'choir_process_cpu_seconds_total{instance="0",mode="user"} 1.5',
      'choir_gc_runs_total{instance="0",kind="major"} 4',
      'choir_gc_duration_seconds_total{instance="0",kind="major"} 0.02',
      "choir_generation 2",
      "choir_pubsub_messages_delivered_total 10",
      // Slot 0 is served by one and drained by another; slot 1 waits for its respawn.
      'choir_instance_ready{instance="0"} 1',
      'choir_instance_ready{instance="1"} 0',
      'choir_process_resident_memory_bytes{instance="0"} 58400000',
      'choir_event_loop_delay_max_seconds{instance="0"} 0.0124',
      'choir_supervisor_cpu_seconds_total{mode="system"} 0.05',
      'choir_log_lines_total{level="error"} 2',
      'choir_log_lines_total{level="trace"} 0',
      "choir_log_lines_cut_total 4",
      'choir_log_lines_lost_total{sink="console"} 3',
      'choir_log_lines_lost_total{sink="/var/log/a.log"} 0',
      'choir_log_written_bytes_total{sink="/var/log/a.log"} 5100',
    ])
      expect(lines).toContain(line);
    expect(lines.some((line) => line.startsWith('choir_heap_used_bytes{instance="1"}'))).toBe(false);
  });

  it("gives each metric one name, one type and one sentence", () => {
    const names = [...text().matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const [, help] of text().matchAll(/^# HELP \S+ (.*)$/gm)) expect(help).toMatch(/^\S.*[^.]$/);
  });

  it("marks who is not heard, or did not answer, as stale", () => {
    expect(text()).toContain('choir_instance_stale{instance="0"} 0');
    expect(text({ silent: [0] })).toContain('choir_instance_stale{instance="0"} 1');
    const [slot, ...others] = SNAPSHOT.slots;
    const [instance] = slot!.instances;
    const blocked = { ...slot!, instances: [{ ...instance!, heardMs: 6000 }] };
    expect(text({ snapshot: { ...SNAPSHOT, slots: [blocked, ...others] } })).toContain(
      'choir_instance_stale{instance="0"} 1',
    );
  });

  it("counts what happens, and has every reason at zero before it does", () => {
    const events = new EventCounts();
    const exit = { event: "instance-exited", instance: 0, generation: 0, pid: 1, code: 1, signal: null } as const;
    events.take({ ...exit, reason: "crashed", uptimeMs: 1, respawnMs: 250, repeated: false });
    events.take({ ...exit, reason: "crashed", uptimeMs: 1, respawnMs: null, repeated: false });
    events.take({ event: "restart-finished", generation: 1, outcome: "failed", durationMs: 5 });
    events.take({ event: "pubsub-overload", instance: 0, generation: 0, pid: 1, dropped: 2, droppedBytes: 50 });
    events.take({ event: "all-crashed" });
    const lines = text({ events }).split("\n");
    for (const line of [
      'choir_instance_exits_total{reason="crashed"} 2',
      'choir_instance_respawns_total{reason="crashed"} 1',
      'choir_instance_exits_total{reason="out-of-memory"} 0',
      'choir_restarts_total{outcome="failed"} 1',
      'choir_restarts_total{outcome="done"} 0',
      "choir_pubsub_messages_dropped_total 2",
      "choir_pubsub_bytes_dropped_total 50",
    ])
      expect(lines).toContain(line);
  });
});
