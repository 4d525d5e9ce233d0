/** The life of an instance as data: which state may follow which. Pure; used in the supervisor. */

export type InstanceState = "starting" | "ready" | "draining" | "killing" | "exited";

/** Any state can go to `exited`; no state is ever left twice. */
const NEXT: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  starting: ["ready", "draining", "killing", "exited"],
  ready: ["draining", "killing", "exited"],
  draining: ["killing", "exited"],
  killing: ["exited"],
  exited: [],
};

/** Tells whether an instance in state `from` may go to `to`. */
export function mayFollow(from: InstanceState, to: InstanceState): boolean {
  return NEXT[from].includes(to);
}
