/**
 * Keeps an instance's start from costing it memory for as long as it idles. Runs in the instance; figures: docs/decisions/0018-memory.md.
 *
 * V8 makes the room for new objects larger as it finds that many survive, as they do while modules are loaded: 8 MB at the end of a start. It
 * gives room back after a full collection that it believes to be worth another one, but an app for which such
 * collections were brought about was a tenth and more slower. So the room does not grow while an instance starts.
 */
import { setFlagsFromString } from "node:v8";
import { nodeFlag } from "../options/environment.ts";

const FLAG = "semi-space-growth-factor";
/** V8's own. */
const USUAL = 2;

/** Until the result is called; does nothing where node's flags say how it is to grow. A flag that a later V8 does not have is ignored by it. */
export function keepYoungGenerationSmall(): () => void {
  if (nodeFlag(FLAG) !== undefined) return () => {};
  setFlagsFromString(`--${FLAG}=1`);
  return () => setFlagsFromString(`--${FLAG}=${USUAL}`);
}
