/** Where the dashboard listens and where its token is, by the options. Reads no file. Supervisor only. */
import { optionError, type Origin } from "./origin.ts";
import { flagOf, type OptionName, type ResolvedOptions } from "./table.ts";
import { passwordSource, type PasswordSource } from "./tls-sources.ts";

export interface DashboardSource {
  /** What --dashboard-address says. */
  readonly address: string;
  readonly token: PasswordSource;
}

type Origins = Readonly<Partial<Record<OptionName, Origin>>>;

/** What has no effect without --dashboard. */
const COMPANIONS = ["dashboardAddress", "dashboardToken", "dashboardTokenFile"] as const;

/** Tells what the dashboard needs; undefined without --dashboard. Throws ERR_CHOIR_OPTION for what does not go together. */
export function dashboardSource(
  options: Pick<ResolvedOptions, "dashboard" | (typeof COMPANIONS)[number]>,
  { origins, environment }: { origins: Origins; environment: NodeJS.ProcessEnv },
): DashboardSource | undefined {
  if (!options.dashboard) {
    // In code or the environment it may stand ready for a start with --dashboard; on the command line it was meant for this one.
    const idle = COMPANIONS.find((name) => origins[name]?.from === "flag");
    if (idle !== undefined) throw optionError(`${flagOf(idle)} has no effect without --dashboard`);
    return undefined;
  }
  const { dashboardAddress: address, dashboardToken: value, dashboardTokenFile: file } = options;
  return { address, token: passwordSource("dashboard-token", environment, { value, file }) };
}
