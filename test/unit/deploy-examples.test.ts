// examples/deploy: what a linter finds, options that Choir does not have, and times that do not fit together.
import { readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { resolveOptions } from "../../src/options/resolve.ts";
import { OPTIONS, type ResolvedOptions } from "../../src/options/table.ts";
import { healthEndpoint } from "../../src/supervisor/health.ts";

const FOLDER = new URL("../../examples/deploy/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

function optionsOf(args: readonly string[]): ResolvedOptions {
  const resolution = resolveOptions({ args, environment: {}, code: {} });
  if (resolution.kind === "help") throw new Error("Got help");
  return resolution.options;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold: number;
}

interface Container {
  readonly command: string[];
  readonly args: string[];
  readonly ports: { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: Record<string, string> };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: unknown;
}

interface Resource {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: { readonly matchLabels: unknown };
    readonly strategy: unknown;
    readonly ports: { readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: unknown };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly enableServiceLinks: boolean;
        readonly securityContext: unknown;
        readonly containers: Container[];
      };
    };
  };
}

describe("the Dockerfile", () => {
  const text = read("Dockerfile");

  it("has no fault that a linter finds", () => {
    // It does find faults.
    expect(validate(text.replace("EXPOSE 3000", "EXPOSE http"))).not.toEqual([]);
    expect(validate(text)).toEqual([]);
  });

  it("starts node itself, as nobody in particular, with options that there are", () => {
    const command = JSON.parse(/^CMD (\[.*\])$/m.exec(text)![1]!) as string[];
    expect(command.slice(0, 2)).toEqual(["node", "main.js"]);
    const options = optionsOf(command.slice(2));
    expect(options.address).toEqual(["0.0.0.0"]);
    const exposed = /^EXPOSE (.*)$/m.exec(text)![1]!.split(" ").map(Number);
    expect(exposed).toEqual([options.port, healthEndpoint(options.healthAddress!).port]);
    expect(text).toContain(`http://127.0.0.1:${exposed[1]}/readyz`);
    expect(text).toMatch(/^USER node$/m);
    const [, start] = /--start-period=(\d+)s/.exec(text)!;
    expect(Number(start) * 1000).toBeGreaterThanOrEqual(OPTIONS.startTimeout.default);
  });
});

describe("the manifest", () => {
  const documents = parseAllDocuments(read("kubernetes.yaml"));
  const resources = documents.map((document) => document.toJS() as Resource);
  const deployment = resources.find(({ kind }) => kind === "Deployment")!;
  const { metadata, spec: pod } = deployment.spec.template;
  const container = pod.containers[0]!;
  const options = optionsOf(container.args);

  it("is YAML without a fault, and all of one app", () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(resources.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      "apps/v1 Deployment",
      "v1 Service",
      "policy/v1 PodDisruptionBudget",
    ]);
    expect(new Set(resources.map((resource) => resource.metadata.name))).toEqual(new Set(["shop"]));
    expect(deployment.spec.selector.matchLabels).toEqual(metadata.labels);
    expect(deployment.spec.strategy).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } });
  });

  it("has ports that the options open", () => {
    const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort]));
    expect(ports).toEqual({ http: options.port, health: healthEndpoint(options.healthAddress!).port });
    expect(resources[1]!.spec.ports[0]!.targetPort).toBe("http");
    expect(container.livenessProbe.httpGet).toEqual({ path: "/livez", port: "health" });
    for (const probe of [container.readinessProbe, container.startupProbe]) {
      expect(probe.httpGet).toEqual({ path: "/readyz", port: "health" });
    }
  });

  it("gives a pod the time that its options ask for", () => {
    const { readinessProbe: ready, startupProbe: startup } = container;
    const noticed = ready.periodSeconds * ready.failureThreshold + (ready.timeoutSeconds ?? 1);
    expect(options.drainDelay).toBeGreaterThan(noticed * 1000);
    expect(options.shutdownTimeout - options.drainDelay).toBeGreaterThanOrEqual(OPTIONS.shutdownTimeout.default);
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(options.shutdownTimeout + 5000);
    expect(startup.periodSeconds * startup.failureThreshold * 1000).toBeGreaterThan(options.startTimeout);
  });

  it("limits what a pod may use and do", () => {
    expect(Object.keys(container.resources.limits).sort()).toEqual(["cpu", "memory"]);
    // All instances together stay below the limit.
    expect(Number(container.resources.limits["cpu"]) * Number.parseFloat(String(options.maxMemory))).toBeLessThan(100);
    expect(pod).toMatchObject({ enableServiceLinks: false, securityContext: { runAsNonRoot: true } });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });
});

describe("the guides", () => {
  const guide = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

  it.each(["proxies.md", "kubernetes.md"])("%s has command lines that Choir understands", (name) => {
    const lines = [...guide(name).matchAll(/`node main\.js ([^`]*)`/g)].map(([, args]) => args!.split(" "));
    if (name === "proxies.md") expect(lines.length).toBeGreaterThan(1);
    for (const args of lines) expect(optionsOf(args).keepAliveTimeout).toBeGreaterThan(60_000);
  });
});
