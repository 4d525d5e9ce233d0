// The contestants' app under a Choir that measures no request. No option does that: the call that begins it is changed as it is loaded.
import { register } from "node:module";

register("./unmeasured-hooks.mjs", import.meta.url);
await import("./choir.mjs");
