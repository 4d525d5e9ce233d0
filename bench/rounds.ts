/**
 * Runs rows in rounds: in each, every contestant is started, measured and stopped once for each setup, one after the other, so that
 * whatever slows the machine for a while slows all of them alike. Who begins changes from round to round.
 */
import type { Contestant } from "./contestant.ts";
import type { Results } from "./results.ts";
import type { Context, Row } from "./row.ts";

/** Contestants, and the rows that they can be measured by. */
export interface Discipline<Setup, Serving> {
  readonly contestants: readonly Contestant<Setup, Serving>[];
  readonly rows: readonly Row<Setup, Serving>[];
  /** Has code run that is to be compiled before it is measured. */
  warmUp(serving: Serving, seconds: number): Promise<void>;
}

export interface RoundOptions {
  /** From 0 on. */
  readonly round: number;
  /** Leaves out rows that do not take part in every round. */
  readonly steadyOnly: boolean;
  readonly seconds: number;
  readonly results: Results;
  /** Says what is going on. */
  readonly progress: (text: string) => void;
  /** Ends what a contestant left running; called after each. */
  readonly clear: () => void;
}

interface Stoppable {
  stop(): Promise<void>;
}

/** One round of all rows that are due in it. */
export async function runRound<Setup, Serving extends Stoppable>(
  discipline: Discipline<Setup, Serving>,
  options: RoundOptions,
): Promise<void> {
  const { round, steadyOnly, results, progress } = options;
  const due = discipline.rows.filter(({ every = 1 }) => every === 1 || (round % every === 0 && !steadyOnly));
  for (const row of due.filter(({ turns }) => turns !== undefined)) await inTurns(discipline, row, options);
  for (const rows of bySetup(due.filter(({ turns }) => turns === undefined))) {
    for (const contestant of rotated(discipline.contestants, round)) {
      const able = rows.filter((row) => takesPart(contestant, row, results));
      const [first] = able;
      if (first === undefined) continue;
      progress(`round ${round + 1}, ${contestant.name}: ${able.map(({ name }) => name).join(", ")}`);
      await heat(discipline, { contestant, rows: able, setup: first.setup }, options);
    }
  }
}

interface Heat<Setup, Serving> {
  readonly contestant: Contestant<Setup, Serving>;
  readonly rows: readonly Row<Setup, Serving>[];
  readonly setup: Setup;
}

/** One start of one contestant, and all that is measured on it. */
async function heat<Setup, Serving extends Stoppable>(
  discipline: Discipline<Setup, Serving>,
  { contestant, rows, setup }: Heat<Setup, Serving>,
  { round, seconds, results, clear }: RoundOptions,
): Promise<void> {
  let current = rows[0]?.name ?? "";
  try {
    const serving = await contestant.start(setup);
    try {
      let warm = false;
      for (const row of rows) {
        current = row.name;
        if (row.warm && !warm) await discipline.warmUp(serving, seconds / 2);
        warm ||= row.warm;
        const context: Context = { seconds, note: (text) => results.note(row.name, contestant.name, text) };
        const figures = await row.measure(serving, context);
        results.add({ row: row.name, contestant: contestant.name, round }, figures);
      }
    } finally {
      await serving.stop();
    }
  } catch (error) {
    results.fail(current, contestant.name, error);
  } finally {
    clear();
  }
}

/** Turns before those that count, for rows that are to find their code compiled. */
const WARM_UP_TURNS = 2;

/** One start of all contestants of a row, which are measured in turn. */
async function inTurns<Setup, Serving extends Stoppable>(
  { contestants }: Discipline<Setup, Serving>,
  row: Row<Setup, Serving>,
  { round, seconds, results, progress, clear }: RoundOptions,
): Promise<void> {
  // A run of one second looks whether it works.
  const turns = seconds === 1 ? 1 : (row.turns ?? 1);
  const warmUps = seconds > 1 && row.warm ? WARM_UP_TURNS : 0;
  const able = contestants.filter((contestant) => takesPart(contestant, row, results));
  const running: { readonly name: string; readonly serving: Serving }[] = [];
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    await work().catch((error: unknown) => results.fail(row.name, name, error));
  };
  progress(`round ${round + 1}, ${able.map(({ name }) => name).join(" beside ")}: ${row.name}`);
  for (const contestant of able) {
    const { name } = contestant;
    await attempt(name, async () => void running.push({ name, serving: await contestant.start(row.setup) }));
  }
  for (let turn = -warmUps; turn < turns; turn++) {
    for (const { name, serving } of rotated(running, turn + warmUps)) {
      await attempt(name, async () => {
        const figures = await row.measure(serving, { seconds, note: (text) => results.note(row.name, name, text) });
        if (turn >= 0) results.add({ row: row.name, contestant: name, round: round + turn / turns }, figures);
      });
    }
  }
  for (const { name, serving } of running) await attempt(name, () => serving.stop());
  clear();
}

function takesPart<Setup, Serving>(
  contestant: Contestant<Setup, Serving>,
  { name, setup, contestants, abilities = [] }: Row<Setup, Serving>,
  results: Results,
): boolean {
  if (contestants === undefined ? contestant.variant === true : !contestants.includes(contestant.name)) return false;
  const reason = contestant.unable(setup, abilities);
  if (reason !== undefined) results.leaveOut(name, contestant.name, reason);
  return reason === undefined;
}

function bySetup<Setup, Serving>(rows: readonly Row<Setup, Serving>[]): Row<Setup, Serving>[][] {
  const groups = new Map<string, Row<Setup, Serving>[]>();
  for (const row of rows) {
    const key = JSON.stringify(row.setup);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}
