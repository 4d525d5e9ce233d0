/** A rolling restart slot by slot. Runs in the browser; pure. */
import type { SlotSnapshot } from "../../../supervisor/snapshot.ts";
import type { PageState, Rollout } from "./state.ts";
import { count } from "./words.ts";

/** How far a slot is. */
export type Step = "waiting" | "starting" | "trial" | "draining" | "done" | "kept" | "down";

export interface SlotStep {
  readonly slot: number;
  readonly step: Step;
  readonly text: string;
}

export interface RolloutView {
  readonly title: string;
  readonly tone: "busy" | "good" | "bad" | "warn";
  readonly steps: readonly SlotStep[];
  /** Slots that are done. */
  readonly done: number;
  readonly startedAt: number;
  /** Undefined while it runs. */
  readonly endedAt: number | undefined;
  /** Why it was taken back. */
  readonly error: string | undefined;
  /** What the newcomer wrote to stderr last. */
  readonly lastWords: readonly string[];
}

/** For how long the end of one that went well is shown, in milliseconds. */
const SHOWN_MS = 60_000;

const TEXTS: Readonly<Record<Step, string>> = {
  waiting: "old, waits",
  starting: "new one starts",
  trial: "new one ready, on trial",
  draining: "new, old one drains",
  done: "new",
  kept: "old, kept",
  down: "nothing runs",
};

/** What is to be shown of it; undefined for none, and for one that went well some time ago. */
export function rolloutView({ rollout, snapshot }: PageState, now: number): RolloutView | undefined {
  if (rollout === undefined || snapshot === undefined) return undefined;
  const { end } = rollout;
  if (end !== undefined && end.event.outcome === "done" && now - end.at > SHOWN_MS) return undefined;
  const wanted = snapshot.slots.filter(({ id }) => id < snapshot.instances);
  const steps = wanted.map((slot) => stepOf(slot, rollout));
  return {
    ...titleOf(rollout, steps),
    steps,
    done: steps.filter(({ step }) => step === "done" || step === "draining").length,
    startedAt: rollout.startedAt,
    endedAt: end?.at,
    error: end?.event.error,
    lastWords: end?.event.lastWords ?? [],
  };
}

function stepOf({ id, instances }: SlotSnapshot, { generation, end }: Rollout): SlotStep {
  const newcomer = instances.find((each) => each.generation === generation && each.state !== "exited");
  const old = instances.find((each) => each.generation !== generation);
  const step = newcomer === undefined ? withoutNewcomer(old !== undefined, end !== undefined) : stateOf(newcomer, old);
  return { slot: id, step, text: TEXTS[step] };
}

function withoutNewcomer(hasOld: boolean, ended: boolean): Step {
  if (!hasOld) return "down";
  return ended ? "kept" : "waiting";
}

function stateOf(newcomer: { readonly state: string }, old: { readonly state: string } | undefined): Step {
  if (newcomer.state === "starting") return "starting";
  // A newcomer that is taken back drains itself.
  if (newcomer.state !== "ready") return old === undefined ? "down" : "kept";
  if (old === undefined) return "done";
  return old.state === "ready" ? "trial" : "draining";
}

function titleOf({ generation, end }: Rollout, steps: readonly SlotStep[]): Pick<RolloutView, "title" | "tone"> {
  if (end === undefined) return { title: `Rolling restart to generation ${generation}`, tone: "busy" };
  switch (end.event.outcome) {
    case "done":
      return { title: `Restarted: ${count(steps.length, "slot")} of generation ${generation}`, tone: "good" };
    case "failed":
      return {
        title: `Restart to generation ${generation} failed and was taken back: the old one serves`,
        tone: "bad",
      };
    case "mixed":
      return {
        title: `Restart to generation ${generation} failed, and not every slot has its old code back`,
        tone: "bad",
      };
    case "stopped":
      return { title: "Restart given up: the supervisor stops", tone: "warn" };
    default:
      return { title: "Restart ended", tone: "warn" };
  }
}
