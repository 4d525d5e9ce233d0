// A writer that knows nothing of who takes its lines: PM2, a file that is its stdout, or nobody, when pino writes a file of its own.
import { pino } from "pino";
import { write } from "./writer.mjs";

const { BENCH_LOG_FILE: file, NODE_APP_INSTANCE } = process.env;
const number = Number(NODE_APP_INSTANCE ?? process.argv[2]);
// Without a destination pino writes to what process.stdout is: PM2 has put something else in its place.
const destination = file === undefined ? [] : [pino.destination({ dest: `${file}-${number}.log`, sync: true })];
write(number, pino({ base: null }, ...destination));
