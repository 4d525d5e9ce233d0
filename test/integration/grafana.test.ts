// Every query of the Grafana dashboard has an answer in a real Prometheus that scrapes a real app, as OpenMetrics.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { ask, startRunner } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const dashboard = JSON.parse(
  readFileSync(new URL("../../examples/deploy/grafana-dashboard.json", import.meta.url), "utf8"),
) as Dashboard;

class Prometheus implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "choir-prometheus-"));
  readonly #child: ChildProcess;
  #log = "";

  constructor(target: string) {
    const config = path.join(this.#folder, "prometheus.yml");
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: "1s" },
        scrape_configs: [{ job_name: "example", static_configs: [{ targets: [target] }] }],
      }),
    );
    this.#child = spawn(
      "prometheus",
      [`--config.file=${config}`, `--storage.tsdb.path=${this.#folder}/data`, "--web.listen-address=127.0.0.1:0"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#child.stderr!.setEncoding("utf8").on("data", (chunk: string) => (this.#log += chunk));
  }

  /** Where it listens, which it says itself. */
  async url(): Promise<string> {
    const look = async (): Promise<string> => {
      for (;;) {
        const address = /Listening on"? address=(127\.0\.0\.1:\d+)/.exec(this.#log)?.[1];
        if (address !== undefined) return `http://${address}`;
        await new Promise((resolve) => this.#child.stderr!.once("data", resolve));
      }
    };
    return within(look(), () => `Prometheus to listen: ${this.#log}`, 20_000);
  }

  /** It listens before it can be asked. */
  async ready(): Promise<void> {
    const url = await this.url();
    const look = async (): Promise<void> => {
      while ((await ask(`${url}/-/ready`)).status !== 200);
    };
    await within(look(), () => `Prometheus to be ready: ${this.#log}`, 20_000);
  }

  async query(expression: string): Promise<{ status: string; values: number[] }> {
    const { body } = await ask(`${await this.url()}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, data, error } = JSON.parse(body) as {
      status: string;
      error?: string;
      data?: { result: { value: [number, string] }[] };
    };
    return { status: error ?? status, values: data?.result.map(({ value }) => Number(value[1])) ?? [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describeWith({ programs: ["prometheus"] }, "the Grafana dashboard", () => {
  it("asks for what is there, in every panel", { timeout: 90_000 }, async () => {
    await using runner = startRunner("keeps-metrics.mjs", {
      instances: 2,
      args: ["--metrics", "--metrics-address", "127.0.0.1:0"],
    });
    const app = await runner.ready(2);
    const { url } = (await runner.event("metrics-listening")) as unknown as { url: string };
    await using prometheus = new Prometheus(new URL(url).host);
    await prometheus.ready();
    const isThere = async (): Promise<void> => {
      for (;;) {
        await ask(`${app}/order/tea`);
        await ask(`${app}/status/500`);
        const { values } = await prometheus.query('sum(rate(choir_http_requests_total{status="5xx"}[10s])) > 0');
        if (values.length > 0) return;
      }
    };
    await within(isThere(), "requests in Prometheus", 40_000);
    const scraped = await prometheus.query('up{job="example"}');
    expect(scraped.values).toEqual([1]);
    const found = new Map<string, string>();
    for (const { title, targets } of dashboard.panels) {
      for (const { expr } of targets) {
        const asked = expr.replaceAll("$__rate_interval", "10s").replaceAll("$job", "example");
        const { status, values } = await prometheus.query(asked);
        const fine = values.length > 0 && values.every((value) => !Number.isNaN(value));
        if (status !== "success" || !fine) found.set(`${title}: ${asked}`, `${status} ${values.join(" ")}`);
      }
    }
    expect(Object.fromEntries(found)).toEqual({});
  });
});
