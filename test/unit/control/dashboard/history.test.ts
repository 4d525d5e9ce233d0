import { expect, it } from "vitest";
import { EventFeed } from "../../../../src/control/event-feed.ts";
import { History } from "../../../../src/control/dashboard/history.ts";
import type { Snapshot } from "../../../../src/supervisor/snapshot.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";
import { SNAPSHOT } from "../../../helpers/snapshots.ts";

function start(snapshot: Snapshot = SNAPSHOT) {
  const clock = new FakeClock();
  const events = new EventFeed();
  const follow = events.subscribe.bind(events);
  return { clock, events, history: new History({ snapshot: () => snapshot, follow }, clock) };
}

it("keeps a sample every two seconds, for a quarter of an hour", () => {
  const { clock, history } = start();
  clock.advance(4000);
  const { now, samples } = history.report();
  expect(samples.map(({ at }) => now - at)).toEqual([2000, 0]);
  expect(samples[0]).toMatchObject({ requests: 812.4, errors: 0.2, p50: 1.42, p99: 23.1 });
  // A slot's figures are those of all its processes; of one without any nothing is known.
  expect(samples[0]!.slots).toEqual([
    [0, 12.4, 58_400_000],
    [1, null, null],
  ]);
  clock.advance(3_600_000);
  const later = history.report();
  expect(later.samples).toHaveLength(450);
  expect(later.now - later.samples[0]!.at).toBe(449 * 2000);
});

it("keeps the last events with their time, and ends when it is told", () => {
  const { clock, events, history } = start();
  clock.advance(500);
  for (let n = 0; n < 250; n += 1) events.emit({ event: "stopped", code: n });
  const { now, events: kept } = history.report();
  expect(kept).toHaveLength(200);
  expect(kept[0]).toEqual({ at: now, event: { event: "stopped", code: 50 } });
  history.stop();
  expect([events.followers, clock.timers]).toEqual([0, 0]);
});

it("has a bound for an app with very many slots", () => {
  const slots = Array.from({ length: 1000 }, (_, id) => ({ ...SNAPSHOT.slots[1]!, id }));
  const { clock, history } = start({ ...SNAPSHOT, slots });
  clock.advance(2000);
  expect(history.report().samples[0]!.slots).toHaveLength(32);
});
