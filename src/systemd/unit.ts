/** Writes the unit files of an app: what `choir systemd` prints. Pure. */
import { isIP } from "node:net";
import { optionError } from "../options/origin.ts";
import { quote } from "../errors.ts";
import type { ResolvedOptions } from "../options/table.ts";
import { unitSeconds, unitText, unitWord } from "./quote.ts";
import { sandboxLines } from "./sandbox.ts";

export interface UnitPlan {
  /** The unit's name, without its ending. */
  readonly name: string;
  /** What is run, with absolute paths. */
  readonly command: readonly string[];
  /** Runs a rolling restart to its end, for a systemd that cannot follow one by itself. */
  readonly reloadCommand: readonly string[];
  readonly cwd: string;
  readonly options: Pick<
    ResolvedOptions,
    "address" | "port" | "socketMode" | "startTimeout" | "shutdownTimeout" | "user" | "group"
  >;
  /** For the user's own manager. */
  readonly userUnit: boolean;
  /** The sockets are systemd's. */
  readonly socket: boolean;
  /** The version of systemd that is to read them. */
  readonly systemdVersion: number;
}

/** The first one that sends SIGHUP and waits for the answer. */
const NOTIFY_RELOAD_SINCE = 253;
/** The first one that waits longer and longer between restarts. */
const RESTART_STEPS_SINCE = 254;
/** systemd puts the path of RuntimeDirectory= there. With it, no app but this one is meant. */
const OWN_FOLDER = "${RUNTIME_DIRECTORY}";
/** How much later than Choir's own deadline systemd's is, in milliseconds. */
const SLACK_MS = 15_000;
const LOWEST_FREE_PORT = 1024;

/** The files by their names, the socket first: it is to be started first. */
export function renderUnits(plan: UnitPlan): Readonly<Record<string, string>> {
  const service = serviceUnit(plan);
  if (!plan.socket) return { [`${plan.name}.service`]: service };
  return { [`${plan.name}.socket`]: socketUnit(plan), [`${plan.name}.service`]: service };
}

function serviceUnit(plan: UnitPlan): string {
  const { name, socket, userUnit, cwd, options } = plan;
  const folder = folderOf(name);
  const bindsLowPort = !socket && bindsTcp(options) && options.port < LOWEST_FREE_PORT && options.port > 0;
  return sections({
    Unit: [
      `Description=${unitText(name)}, run by Choir`,
      ...(userUnit ? [] : ["Wants=network-online.target", "After=network-online.target"]),
      ...(socket ? [`Requires=${name.replace(/@$/, "@%i")}.socket`] : []),
      // Choir itself gives up only where trying again is of no use, which RestartPreventExitStatus= says.
      "StartLimitIntervalSec=0",
    ],
    Service: [
      ...lifeLines(plan),
      "",
      `WorkingDirectory=${unitText(cwd)}`,
      `ExecStart=${plan.command.map(unitWord).join(" ")}`,
      `EnvironmentFile=-${userUnit ? "%h/.config" : "/etc"}/choir/${folder}.env`,
      `RuntimeDirectory=choir/${folder}`,
      `StateDirectory=${folder}`,
      `LogsDirectory=${folder}`,
      "",
      ...sandboxLines({ userUnit, changesUser: changesUser(options), bindsLowPort }),
    ],
    Install: [`WantedBy=${userUnit ? "default.target" : "multi-user.target"}`],
  });
}

/** How it starts, reloads, stops and is started again. */
function lifeLines({ options, systemdVersion, reloadCommand, userUnit }: UnitPlan): string[] {
  const followsReload = systemdVersion >= NOTIFY_RELOAD_SINCE;
  return [
    ...(followsReload
      ? ["Type=notify-reload"]
      : ["Type=notify", `ExecReload=${reloadCommand.map(unitWord).join(" ")} --control ${OWN_FOLDER}`]),
    // The messages come from systemd-notify, which is no child of systemd's.
    "NotifyAccess=all",
    "WatchdogSec=30s",
    // Both are prolonged while there is progress; these are for a supervisor that says nothing any more.
    `TimeoutStartSec=${unitSeconds(options.startTimeout + SLACK_MS)}`,
    `TimeoutStopSec=${unitSeconds(options.shutdownTimeout + SLACK_MS)}`,
    // The supervisor drains its instances in their order; systemd kills what is left.
    "KillMode=mixed",
    // node may not raise the limit by itself in the sandbox below.
    ...(userUnit ? [] : ["LimitNOFILE=524288"]),
    // An instance that the kernel killed for want of memory is replaced; the others serve on.
    "OOMPolicy=continue",
    "Restart=on-failure",
    // Wrong options and wrong configuration stay wrong.
    "RestartPreventExitStatus=64 78",
    ...(systemdVersion >= RESTART_STEPS_SINCE
      ? ["RestartSec=250ms", "RestartSteps=6", "RestartMaxDelaySec=15s"]
      : ["RestartSec=5s"]),
  ];
}

function socketUnit({ name, options }: UnitPlan): string {
  const streams = options.address.map((address) => streamOf(address, options.port));
  const hasFile = streams.some((stream) => stream.startsWith("/"));
  const { user, group } = options;
  return sections({
    Unit: [`Description=Sockets of ${unitText(name)}`],
    Socket: [
      ...streams.map((stream) => `ListenStream=${unitText(stream)}`),
      `FileDescriptorName=${name.replace(/@$/, "")}`,
      ...(hasFile ? [`SocketMode=0${options.socketMode.toString(8).padStart(3, "0")}`] : []),
      ...(hasFile && user !== undefined ? [`SocketUser=${unitText(user)}`] : []),
      ...(hasFile && group !== undefined ? [`SocketGroup=${unitText(group)}`] : []),
    ],
    Install: ["WantedBy=sockets.target"],
  });
}

/** Its folders' name: a template, which ends with an @, has those of each of its instances. */
function folderOf(name: string): string {
  return name.endsWith("@") ? `${name}%i`.replace("@", "-") : name;
}

/** What ListenStream= takes: it resolves no names. */
function streamOf(address: string, port: number): string {
  if (address.startsWith("unix:")) {
    const file = address.slice("unix:".length);
    if (file.startsWith("/")) return file;
    throw optionError(`--socket needs a Unix socket with an absolute path, got ${quote(address)}`);
  }
  const host = /^\[(.+)\]$/.exec(address)?.[1] ?? address;
  if (isIP(host) === 0) throw optionError(`--socket needs IP addresses, got --address ${quote(address)}`);
  if (port === 0) throw optionError("--socket needs a --port of its own: systemd cannot choose one");
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function bindsTcp({ address }: Pick<ResolvedOptions, "address">): boolean {
  return address.some((each) => !each.startsWith("unix:"));
}

function changesUser({ user, group }: Pick<ResolvedOptions, "user" | "group">): boolean {
  return user !== undefined || group !== undefined;
}

function sections(parts: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(parts)
    .map(([title, lines]) => `[${title}]\n${lines.join("\n")}\n`)
    .join("\n");
}
