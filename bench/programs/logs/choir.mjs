// Writers are the instances of one app; what they print is taken and written by Choir's supervisor.
import { pino } from "pino";
import { Runner } from "../../../dist/src/index.js";
import { instance } from "../../../dist/src/instance/api.js";
import { write } from "./writer.mjs";

await new Runner("bench", () => {
  write(instance.id, pino({ base: null }));
  return (request, response) => response.end();
}).run();
