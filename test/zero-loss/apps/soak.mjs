// A program for every kind of client whose code turns bad when it is told to.
import { existsSync } from "node:fs";
import { Runner } from "../../../dist/src/index.js";
import { configureEverything } from "./configure-everything.mjs";

await new Runner("soak", (app) => {
  if (existsSync(process.env.SOAK_BAD_CODE)) throw new Error("This release is bad");
  configureEverything(app);
  app.get("/throw", () => {
    setImmediate(() => {
      throw new Error("Nobody awaits this");
    });
    return "thrown";
  });
}).run();
