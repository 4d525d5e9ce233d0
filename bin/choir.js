#!/usr/bin/env node
// The `choir` command; its code is src/cli/main.ts.
import { main } from "../dist/src/cli/main.js";

process.exitCode = await main();
