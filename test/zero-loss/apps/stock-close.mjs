// The same program, but told to drain it does what most apps do first: `server.close()`, which destroys idle connections.
import { Runner } from "../../../dist/src/index.js";
import { configureEverything } from "./configure-everything.mjs";

await new Runner("stock-close", (app) => {
  configureEverything(app);
  process.on("message", (message) => {
    if (message?.choir === "drain") app.server.close();
  });
}).run();
