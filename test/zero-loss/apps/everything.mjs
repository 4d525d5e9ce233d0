// A program for every kind of client.
import { Runner } from "../../../dist/src/index.js";
import { configureEverything } from "./configure-everything.mjs";

await new Runner("everything", (app) => configureEverything(app)).run();
