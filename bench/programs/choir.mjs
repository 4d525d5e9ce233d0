// The contestants' app as a user of Choir writes it.
import { Runner } from "../../dist/src/index.js";
import { listener, routes } from "./app.mjs";

const configureServer = process.env.BENCH_APP === "plain" ? () => listener : (app) => routes(app);
await new Runner("bench", configureServer).run();
