import { defineConfig } from "vitest/config";

// Three projects: `unit` mirrors src/ and touches no process and no socket; `integration` starts real programs from dist/,
// one file at a time, since the machines that run it have two cores; `zero-loss` puts such programs under load, for minutes;
// `bench` runs the benchmarks for a second each, so that they cannot rot, and measures nothing.
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 15_000 } },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "zero-loss",
          include: ["test/zero-loss/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 30_000,
        },
      },
      { test: { name: "bench", include: ["test/bench/**/*.test.ts"], testTimeout: 240_000 } },
    ],
  },
});
